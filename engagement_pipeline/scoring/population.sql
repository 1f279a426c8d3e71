-- What is typical of a shop: the two parameters of the score that come from the population. Reads `facts`.
--   mean_gap_days       mean number of days between two order days, sum(last - first) / sum(n - 1) over all users;
--                       $default_gap_days when nobody has ordered on two days
--   median_order_value  median over users of their average order value
-- A user whose order dates are unknown says nothing about gaps.
--
-- The median is found in two steps, as MEDIAN would hold every value in memory: counts by narrow range tell in which
-- range the middle lies, and only values of that range are put in order.
WITH ranges AS (
    SELECT
        value_range,
        MIN(aov) AS lowest,
        MAX(aov) AS highest,
        COUNT(*) AS users,
        SUM(gaps) AS gaps,
        SUM(days_between) AS days_between
    FROM (
        SELECT
            *,
            CAST(FLOOR(100 * LN(1 + aov)) AS INTEGER) AS value_range
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
    ) AS placed
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
    SELECT MIN(lowest) AS lowest, MAX(highest) AS highest, MIN(users_before) AS users_before
    FROM (
        SELECT
            lowest,
            highest,
            SUM(users) OVER (ORDER BY value_range) AS users_to_here,
            SUM(users) OVER (ORDER BY value_range) - users AS users_before
        FROM ranges
    ) AS running
    CROSS JOIN totals
    WHERE running.users_to_here >= totals.lower_place AND running.users_before < totals.upper_place
),

ordered AS (
    SELECT aov, SUM(users) OVER (ORDER BY aov) AS users_to_here
    FROM (
        SELECT GREATEST(COALESCE(average_order_value, 0), 0) AS aov, COUNT(*) AS users
        FROM facts
        WHERE
            order_days > 0
            AND GREATEST(COALESCE(average_order_value, 0), 0) >= (SELECT lowest FROM middle)
            AND GREATEST(COALESCE(average_order_value, 0), 0) <= (SELECT highest FROM middle)
        GROUP BY GREATEST(COALESCE(average_order_value, 0), 0)
    ) AS candidates
),

middle_values AS (
    SELECT
        MIN(CASE WHEN users_before + users_to_here >= lower_place THEN aov END) AS lower_value,
        MIN(CASE WHEN users_before + users_to_here >= upper_place THEN aov END) AS upper_value
    FROM ordered CROSS JOIN middle CROSS JOIN totals
)

SELECT
    mean_gap_days,
    COALESCE((lower_value + upper_value) / 2, 0) AS median_order_value,
    users
FROM totals CROSS JOIN middle_values
