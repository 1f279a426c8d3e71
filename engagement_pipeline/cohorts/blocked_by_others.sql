-- Rules between users with one address. Reads `decisions`, whole addresses of them, and gives the user_id and reason of
-- each user who passed the gate alone but must give way: to a touch of another user within the cool-down, or to a
-- better-placed user.
WITH placed AS (
    SELECT
        user_id,
        -- Whoever passed the gate was not touched himself, so a touch of this address was another user's.
        address_key IN (
            SELECT address_key FROM decisions WHERE address_key IS NOT NULL AND last_touch_at > $last_touch_latest
        ) AS touched,
        ROW_NUMBER() OVER (PARTITION BY address_key ORDER BY value_at_risk DESC, user_id) AS place
    FROM decisions
    WHERE decision <> 'skip'
)

SELECT
    user_id,
    CASE WHEN touched THEN 'address_cool_down' ELSE 'duplicate_address' END AS gives_way
FROM placed
WHERE touched OR place > 1
