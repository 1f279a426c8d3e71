-- Whose decision may differ from the last one: users who changed, users who gave way to another user of their address
-- (who may have changed his address or be gone), and everybody who shares an address with these or whose address was
-- suppressed or released since. Sharing an address is transitive, so the set holds whole addresses only.
WITH seeds AS (
    SELECT user_id FROM raw_users WHERE changed_seq > $offset
    UNION
    SELECT user_id FROM at_risk_cohorts WHERE reason IN ('address_cool_down', 'duplicate_address')
),

addresses AS (
    SELECT address_key FROM raw_users WHERE user_id IN (SELECT user_id FROM seeds)
    UNION
    (SELECT address_key FROM suppressions EXCEPT SELECT address_key FROM judged_suppressions)
    UNION
    (SELECT address_key FROM judged_suppressions EXCEPT SELECT address_key FROM suppressions)
)

SELECT user_id FROM seeds
UNION
SELECT user_id FROM raw_users WHERE address_key IN (SELECT address_key FROM addresses)
