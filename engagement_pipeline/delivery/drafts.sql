-- Who is to be written to (or held out), with the facts that the brief needs. Changes up to `after` were seen before.
-- The most valuable first: a budget that ends early leaves the others over.
WITH decisions AS (
    SELECT
        c.user_id,
        u.address_key,
        c.score,
        c.band,
        c.value_at_risk,
        c.step,
        c.decided_at,
        u.preferred_categories,
        u.order_days,
        u.average_order_value,
        u.touches_since_order,
        u.last_order_at
    FROM at_risk_cohorts AS c
    INNER JOIN raw_users AS u ON c.user_id = u.user_id
    WHERE c.decision = $decision AND c.changed_seq > $after
),

bought_last AS (
    SELECT
        o.user_id,
        FLATTEN(LIST(o.skus ORDER BY o.order_id)) AS skus
    FROM raw_orders AS o
    INNER JOIN decisions AS d ON o.user_id = d.user_id AND o.ordered_at = d.last_order_at
    WHERE o.skus IS NOT NULL AND o.status NOT IN ('cancelled', 'returned')
    GROUP BY o.user_id
)

SELECT
    d.* EXCLUDE (last_order_at),
    b.skus AS last_skus,
    DATE_DIFF('day', CAST(d.last_order_at AS DATE), CAST(d.decided_at AS DATE)) AS days_since_last_order
FROM decisions AS d
LEFT JOIN bought_last AS b ON d.user_id = b.user_id
ORDER BY d.value_at_risk DESC, d.user_id
