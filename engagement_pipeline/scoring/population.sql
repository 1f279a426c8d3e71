-- What is typical of a shop: the two parameters of the score that come from the population. Reads `facts`.
--   mean_gap_days       mean number of days between two order days, sum(last - first) / sum(n - 1) over all users;
--                       $default_gap_days when nobody has ordered on two days
--   median_order_value  median over users of their average order value
-- A user whose order dates are unknown says nothing about gaps.
SELECT
    COALESCE(NULLIF(SUM(days_between) / NULLIF(SUM(gaps), 0), 0), $default_gap_days) AS mean_gap_days,
    COALESCE(MEDIAN(aov), 0) AS median_order_value,
    COUNT(*) AS users
FROM (
    SELECT
        GREATEST(COALESCE(average_order_value, 0), 0) AS aov,
        CASE WHEN last_order_at >= first_order_at THEN order_days - 1 END AS gaps,
        CASE
            WHEN last_order_at >= first_order_at
            THEN DATE_DIFF('day', CAST(first_order_at AS DATE), CAST(last_order_at AS DATE))
        END AS days_between
    FROM facts
    WHERE order_days > 0
) AS spans
