-- What is typical of a shop: the two parameters of the score that come from the population. Reads `facts`.
--   mean_gap_days       mean number of days between two order days, sum(last - first) / sum(n - 1) over all users;
--                       $default_gap_days when nobody has ordered on two days
--   median_order_value  median over users of their average order value
-- A user whose order dates are unknown says nothing about gaps.
--
-- The median is found in two steps, as MEDIAN would hold every value in memory: counts by narrow range tell in which
-- range the middle lies, and only values of that range are put in order.
WITH spans AS NOT MATERIALIZED (
    SELECT
        GREATEST(COALESCE(average_order_value, 0), 0) AS aov,
        CAST(FLOOR(100 * LN(1 + GREATEST(COALESCE(average_order_value, 0), 0))) AS INTEGER) AS value_range,
        CASE WHEN last_order_at >= first_order_at THEN order_days - 1 END AS gaps,
        CASE
            WHEN last_order_at >= first_order_at
            THEN DATE_DIFF('day', CAST(first_order_at AS DATE), CAST(last_order_at AS DATE))
        END AS days_between
    FROM facts
    WHERE order_days > 0
),

ranges AS (
    SELECT value_range, COUNT(*) AS users, SUM(gaps) AS gaps, SUM(days_between) AS days_between
    FROM spans
    GROUP BY value_range
),

totals AS (
    SELECT
        COALESCE(SUM(users), 0) AS users,
        COALESCE(NULLIF(SUM(days_between) / NULLIF(SUM(gaps), 0), 0), $default_gap_days) AS mean_gap_days,
        -- The places of the two values in the middle, counted from 1; the same one if their number is odd.
        FLOOR((SUM(users) + 1) / 2) AS lower_place,
        FLOOR(SUM(users) / 2) + 1 AS upper_place
    FROM ranges
),

middle AS (
    SELECT value_range, users_to_here - users AS users_before
    FROM (SELECT value_range, users, SUM(users) OVER (ORDER BY value_range) AS users_to_here FROM ranges) AS running
    CROSS JOIN totals
    WHERE running.users_to_here >= totals.lower_place
        AND running.users_to_here - running.users < totals.upper_place
),

ordered AS (
    SELECT
        aov,
        (SELECT MIN(users_before) FROM middle) + SUM(users) OVER (ORDER BY aov) AS users_to_here
    FROM (
        SELECT aov, COUNT(*) AS users
        FROM spans
        WHERE value_range IN (SELECT value_range FROM middle)
        GROUP BY aov
    ) AS candidates
)

SELECT
    MIN(totals.mean_gap_days) AS mean_gap_days,
    COALESCE(
        (
            MIN(CASE WHEN ordered.users_to_here >= totals.lower_place THEN ordered.aov END)
            + MIN(CASE WHEN ordered.users_to_here >= totals.upper_place THEN ordered.aov END)
        ) / 2,
        0
    ) AS median_order_value,
    MIN(totals.users) AS users
FROM totals LEFT JOIN ordered ON TRUE
