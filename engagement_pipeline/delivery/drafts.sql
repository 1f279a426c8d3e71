-- Who is to be written to (or held out), with the facts that the brief needs. Changes up to `after` were seen before.
-- The most valuable first: a budget that ends early leaves the others over.
WITH bought_last AS (
    SELECT
        o.user_id,
        FLATTEN(LIST(o.skus ORDER BY o.order_id)) AS skus
    FROM raw_orders AS o
    INNER JOIN raw_users AS u ON o.user_id = u.user_id AND o.ordered_at = u.last_order_at
    WHERE o.skus IS NOT NULL AND o.status NOT IN ('cancelled', 'returned')
    GROUP BY o.user_id
)

SELECT
    c.user_id,
    u.address_key,
    c.score,
    c.band,
    c.value_at_risk,
    c.step,
    c.decided_at,
    u.preferred_categories,
    b.skus AS last_skus,
    u.order_days,
    u.average_order_value,
    u.touches_since_order,
    DATE_DIFF('day', CAST(u.last_order_at AS DATE), CAST(c.decided_at AS DATE)) AS days_since_last_order
FROM at_risk_cohorts AS c
INNER JOIN raw_users AS u ON c.user_id = u.user_id
LEFT JOIN bought_last AS b ON c.user_id = b.user_id
WHERE c.decision = $decision AND c.changed_seq > $after
ORDER BY c.value_at_risk DESC, c.user_id
