-- Whose decision may differ from the last one, with $offset the newest change that it took into account: users who
-- changed, users who gave way to another user of their address (who may have changed his address or be gone), and
-- everybody who shares an address with these, or whose address was suppressed or released since. An address shared by
-- any of them is shared by all of them, so the set holds whole addresses.
WITH seeds AS (
    SELECT user_id, address_key
    FROM raw_users
    WHERE changed_seq > $offset
    UNION
    SELECT user_id, address_key
    FROM raw_users
    WHERE
        user_id IN (SELECT user_id FROM at_risk_cohorts WHERE reason IN ('address_cool_down', 'duplicate_address'))
),

addresses AS (
    SELECT address_key FROM seeds
    UNION
    (SELECT address_key FROM suppressions EXCEPT SELECT address_key FROM judged_suppressions)
    UNION
    (SELECT address_key FROM judged_suppressions EXCEPT SELECT address_key FROM suppressions)
)

SELECT user_id FROM seeds
UNION
SELECT user_id FROM raw_users WHERE address_key IN (SELECT address_key FROM addresses)
