-- The engagement score: 100 times the probability of another order within the next $horizon_days, 50 being even odds.
-- The formula stands here and nowhere else. Reads `facts`, one row per user; passes its columns on and adds the score.
--
--   odds  = (H / 3) * n^0.75 * V * E / (G + d)       H: $horizon_days; n: order days; d: whole days since the last one
--   V     = sqrt((1 + aov / m) / 2)                  m: $median_order_value of the population; V = 1 at that median
--   score = 100 * odds / (1 + odds)                  G: $mean_gap_days of the population
--                                                    E: $email_factor in the $email_factor_days days that begin with
--                                                       an e-mail, while no order has followed it, else 1
--
-- Monotone: more days since the last order never raise it; more order days or a higher average never lower it.
-- Nobody without an order, or whose last order has no date, scores above 0.
WITH clamped AS (
    SELECT
        *,
        GREATEST(COALESCE(order_days, 0), 0) AS n,
        GREATEST(COALESCE(average_order_value, 0), 0) AS aov,
        CASE
            WHEN last_order_at IS NOT NULL
            THEN GREATEST(DATE_DIFF('day', CAST(last_order_at AS DATE), CAST($as_of AS DATE)), 0)
        END AS days_since_last_order,
        last_email_at IS NOT NULL
            AND (last_order_at IS NULL OR last_email_at > last_order_at)
            AND DATE_DIFF('day', CAST(last_email_at AS DATE), CAST($as_of AS DATE)) >= 0
            AND DATE_DIFF('day', CAST(last_email_at AS DATE), CAST($as_of AS DATE)) < $email_factor_days AS is_email_recent
    FROM facts
),

factors AS (
    SELECT
        *,
        POWER(n, 0.75) AS frequency_factor,
        CASE WHEN $median_order_value > 0 THEN SQRT((1 + aov / $median_order_value) / 2) ELSE 1 END AS value_factor,
        CASE WHEN is_email_recent THEN $email_factor ELSE 1 END AS email_factor
    FROM clamped
),

weighed AS (
    SELECT
        *,
        CASE
            WHEN n > 0 AND days_since_last_order IS NOT NULL
            THEN $horizon_days / 3.0 * frequency_factor * value_factor * email_factor
                / ($mean_gap_days + days_since_last_order)
            ELSE 0
        END AS odds
    FROM factors
),

-- Rounded before it is banded, so that the band is the one of the score that people see.
scored AS (
    SELECT *, ROUND(100 * odds / (1 + odds), 2) AS score FROM weighed
)

SELECT
    *,
    CASE
        WHEN score < $critical_below THEN 'critical'
        WHEN score < $at_risk_below THEN 'at_risk'
        WHEN score < $moderate_below THEN 'moderate'
        ELSE 'good'
    END AS band
FROM scored
