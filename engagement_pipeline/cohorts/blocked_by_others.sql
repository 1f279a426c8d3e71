-- Rules between users with one address. Reads `decisions` and gives the user_id and reason of each user who passed the
-- gate alone but must give way: to a touch of another user within the cool-down, or to a better-placed user.
WITH touched AS (
    -- Whoever passed the gate was not touched himself, so a touch of this address was another user's.
    SELECT user_id
    FROM decisions
    WHERE decision <> 'skip'
        AND address_key IN (SELECT address_key FROM raw_users WHERE last_touch_at > $last_touch_latest)
),

-- Grouping by a number instead of a 64-character key takes a fraction of the memory; two keys with one number only
-- widen the set that is then ranked by the key itself.
crowded AS (
    SELECT HASH(address_key) AS bucket
    FROM decisions
    WHERE decision <> 'skip'
    GROUP BY HASH(address_key)
    HAVING COUNT(*) > 1
),

ranked AS (
    SELECT
        user_id,
        ROW_NUMBER() OVER (PARTITION BY address_key ORDER BY value_at_risk DESC, user_id) AS place
    FROM decisions
    WHERE decision <> 'skip' AND HASH(address_key) IN (SELECT bucket FROM crowded)
)

SELECT user_id, 'address_cool_down' AS reason
FROM touched
UNION ALL
SELECT user_id, 'duplicate_address' AS reason
FROM ranked
WHERE place > 1 AND user_id NOT IN (SELECT user_id FROM touched)
