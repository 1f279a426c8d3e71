-- What is known of each user before the cut-off day, and whether an order that counts followed within the horizon.
-- Reads `orders` and `scores_then`, the scores as of the cut-off. The rivals rank the same users by the same orders.
WITH outcomes AS (
    SELECT DISTINCT user_id
    FROM orders
    WHERE
        CAST(ordered_at AS DATE) >= CAST($cutoff AS DATE)
        AND CAST(ordered_at AS DATE) < CAST($cutoff AS DATE) + CAST($horizon_days AS INTEGER)
        AND COALESCE(status, 'delivered') NOT IN ('cancelled', 'returned')
),

-- Quintiles by rank; users who are equal share one.
quintiles AS (
    SELECT
        *,
        CAST(FLOOR(5 * PERCENT_RANK() OVER (ORDER BY days_since_last_order DESC)) AS INTEGER) AS recency_rank,
        CAST(FLOOR(5 * PERCENT_RANK() OVER (ORDER BY order_days)) AS INTEGER) AS frequency_rank,
        CAST(FLOOR(5 * PERCENT_RANK() OVER (ORDER BY average_order_value * order_count)) AS INTEGER) AS monetary_rank
    FROM scores_then
)

SELECT
    user_id,
    score,
    -days_since_last_order AS recency,
    1 + LEAST(recency_rank, 4) + 1 + LEAST(frequency_rank, 4) + 1 + LEAST(monetary_rank, 4) AS rfm,
    outcomes.user_id IS NOT NULL AS came_back
FROM quintiles LEFT JOIN outcomes USING (user_id)
