-- Orders to facts: one row per user with an order that counts on a day before $before_day.
-- Reads `orders` (user_id, ordered_at, total_value, status). By day first: distinct counts per user are far dearer.
WITH days AS (
    SELECT
        user_id,
        CAST(ordered_at AS DATE) AS day,
        COUNT(*) AS orders,
        SUM(total_value) AS total_value
    FROM orders
    WHERE
        CAST(ordered_at AS DATE) < CAST($before_day AS DATE)
        AND COALESCE(status, 'delivered') NOT IN ('cancelled', 'returned')
    GROUP BY user_id, CAST(ordered_at AS DATE)
)

SELECT
    user_id,
    COUNT(*) AS order_days,
    SUM(orders) AS order_count,
    SUM(total_value) / SUM(orders) AS average_order_value,
    MIN(day) AS first_order_at,
    MAX(day) AS last_order_at,
    CAST(NULL AS TIMESTAMP) AS last_email_at
FROM days
GROUP BY user_id
