-- One row per run that estimated the population anew; the newest is in use.
CREATE TABLE IF NOT EXISTS population_parameters (
    as_of DATE, mean_gap_days DOUBLE, median_order_value DOUBLE, users BIGINT, estimated_at TIMESTAMP
);
-- One row per user, without a primary key: it would make rebuilding five times dearer and changing rows no faster.
-- `revision` rises from run to run: rows above the published one are those to look at when publishing.
-- Left to itself, DuckDB spends a quarter of the time of a full run on finding the best compression for ids.
CREATE TABLE IF NOT EXISTS engagement_scores (
    user_id VARCHAR USING COMPRESSION zstd, score DOUBLE, band VARCHAR, as_of DATE, order_days INTEGER,
    days_since_last_order INTEGER, average_order_value DOUBLE, changed_seq BIGINT, revision BIGINT
);
-- Users who are gone, until that has been published.
CREATE TABLE IF NOT EXISTS removed_scores (user_id VARCHAR, revision BIGINT);
CREATE TABLE IF NOT EXISTS engagement_score_history (as_of DATE, user_id VARCHAR, score DOUBLE, band VARCHAR);
-- How many users were in each band on each day of the history: counting it anew would mean to read all of it. Made where
-- there is a history already, it begins with what that says.
CREATE TABLE IF NOT EXISTS score_bands_by_day AS
SELECT as_of, band, COUNT(*) AS users FROM engagement_score_history GROUP BY as_of, band;
