-- Everybody below the threshold, with the gate's decision. `changed_seq` is the user's newest change, or, if he was
-- decided on because of another's, that run's: whoever reads changes finds him.
-- Left to itself, DuckDB spends more time on finding the best compression for ids than on deciding.
CREATE TABLE IF NOT EXISTS at_risk_cohorts (
    user_id VARCHAR USING COMPRESSION zstd,
    score DOUBLE,
    band VARCHAR,
    decision VARCHAR,
    reason VARCHAR,
    value_at_risk DOUBLE,
    step INTEGER,
    as_of DATE,
    decided_at TIMESTAMP,
    changed_seq BIGINT
);

-- A mirror that the delivery room fills; empty until somebody unsubscribes.
CREATE TABLE IF NOT EXISTS suppressions (
    address_key VARCHAR,
    reason VARCHAR,
    suppressed_at TIMESTAMP
);

-- The suppressed addresses that the current decisions know of: what differs from `suppressions` is to be decided again.
CREATE TABLE IF NOT EXISTS judged_suppressions (
    address_key VARCHAR
);
