-- What the score and the gate need to know of a user: the facts of `gate.sql` before they are scored.
SELECT
    user_id,
    address_key,
    order_days,
    average_order_value,
    last_order_at,
    last_email_at,
    consent,
    address_key IN (SELECT address_key FROM suppressions) AS suppressed,
    last_touch_at,
    touches_since_order,
    steps,
    changed_seq
FROM raw_users
