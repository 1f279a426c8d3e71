-- Mirrors of the operational store's delivery tables, for SQL over the whole history; no address, no text in them.
CREATE TABLE IF NOT EXISTS suppressions (
    address_key VARCHAR,
    reason VARCHAR,
    suppressed_at TIMESTAMP
);

CREATE TABLE IF NOT EXISTS email_deliveries (
    email_id VARCHAR,
    user_id VARCHAR,
    address_key VARCHAR,
    campaign VARCHAR,
    step INTEGER,
    status VARCHAR,
    reason VARCHAR,
    score DOUBLE,
    band VARCHAR,
    variant VARCHAR,
    copywriter VARCHAR,
    attempts INTEGER,
    decided_at TIMESTAMP,
    created_at TIMESTAMP,
    sent_at TIMESTAMP,
    updated_at TIMESTAMP,
    requested_by VARCHAR
);

-- Warehouses from before have no such column, and no such e-mail.
ALTER TABLE email_deliveries ADD COLUMN IF NOT EXISTS requested_by VARCHAR;

CREATE TABLE IF NOT EXISTS email_events (
    event_id VARCHAR,
    email_id VARCHAR,
    kind VARCHAR,
    source VARCHAR,
    occurred_at TIMESTAMP,
    received_at TIMESTAMP
);
