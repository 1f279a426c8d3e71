-- The gate: may this user be written to? Reads `candidates` (one row per user) and gives each a decision and a reason.
-- The first rule that fails names the reason: lasting and legal reasons come before those that time alone removes.
-- All bounds are parameters computed from the settings in rules.py. `gives_way` is the reason why a user must give way
-- to another of his address, found by `blocked_by_others.sql`; NULL for everybody else.
WITH judged AS (
    SELECT
        *,
        CASE
            WHEN address_key IS NULL THEN 'no_address'
            WHEN suppressed THEN 'suppressed'
            WHEN NOT COALESCE(consent, FALSE) THEN 'no_consent'
            WHEN order_days = 0 OR last_order_at IS NULL THEN 'no_orders'
            WHEN score >= $at_risk_below THEN 'not_at_risk'
            WHEN CAST(last_order_at AS DATE) > $last_order_latest THEN 'silence_too_short'
            WHEN CAST(last_order_at AS DATE) < $last_order_earliest THEN 'silence_too_long'
            WHEN touches_since_order >= $max_emails_per_silence THEN 'max_emails_reached'
            WHEN last_touch_at > $last_touch_latest THEN 'cool_down'
            ELSE COALESCE(gives_way, 'eligible')
        END AS verdict
    FROM candidates
),

-- The hold-out: a persistent random share of addresses, so that users with one address are held out together.
-- Hexadecimal digits of one length and case sort like the numbers they stand for; only the eligible are hashed. The
-- address key is a keyed SHA-256 itself: half of it is as random as the whole, and with MD5, which has nothing to keep
-- secret here, drawing takes less than half the time.
split AS (
    SELECT
        *,
        CASE
            WHEN verdict <> 'eligible' THEN 'skip'
            WHEN LEFT(MD5($hold_out_key || ':' || LEFT(address_key, 32)), 8) < $hold_out_below THEN 'hold_out'
            ELSE 'mail'
        END AS decision
    FROM judged
)

SELECT
    user_id,
    address_key,
    score,
    band,
    decision,
    CASE WHEN decision = 'hold_out' THEN 'hold_out' ELSE verdict END AS reason,
    -- What an order of this user is worth, times the chance that it does not come.
    ROUND(average_order_value * (1 - score / 100), 2) AS value_at_risk,
    steps + 1 AS step,
    last_touch_at,
    changed_seq
FROM split
