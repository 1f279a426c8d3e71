-- The warehouse's picture of the operational store. No address, no name: users are known by user_id and address_key.
-- Left to itself, DuckDB spends a third of the time of writing users on choosing how to compress these two; keys, which
-- are random, shrink by half at best, and then take twice as long to read as they do as they are.
CREATE TABLE IF NOT EXISTS raw_users (
    user_id VARCHAR USING COMPRESSION zstd,
    address_key VARCHAR USING COMPRESSION uncompressed,
    preferred_categories VARCHAR[],
    consent BOOLEAN,
    time_zone VARCHAR,
    order_count INTEGER,
    order_days INTEGER,
    average_order_value DOUBLE,
    first_order_at TIMESTAMP,
    last_order_at TIMESTAMP,
    last_email_at TIMESTAMP,
    last_touch_at TIMESTAMP,
    touches_since_order INTEGER,
    steps INTEGER,
    created_at TIMESTAMP,
    updated_at TIMESTAMP,
    changed_seq BIGINT
);

CREATE TABLE IF NOT EXISTS raw_orders (
    order_id VARCHAR,
    user_id VARCHAR,
    ordered_at TIMESTAMP,
    total_value DOUBLE,
    item_count INTEGER,
    skus VARCHAR[],
    status VARCHAR,
    changed_seq BIGINT
);

CREATE TABLE IF NOT EXISTS rejected_records (
    record_key VARCHAR,
    entity VARCHAR,
    file VARCHAR,
    line INTEGER,
    field VARCHAR,
    reason VARCHAR,
    message VARCHAR,
    rejected_at TIMESTAMP
);

-- What a record says, with the names and addresses in it, stays in the operational store: a person can be erased there.
-- Warehouses from before had it.
ALTER TABLE rejected_records DROP COLUMN IF EXISTS original;
-- Warehouses from before did not have it; nor had any order of theirs.
ALTER TABLE raw_orders ADD COLUMN IF NOT EXISTS skus VARCHAR[];
