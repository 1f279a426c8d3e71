-- What became of each arm of each campaign, as a whole, by variant and by band; binds $as_of and $window.
-- A unit is a row of the ledger. By intention to treat it belongs to the arm that the decision put it in, whatever
-- became of it later: leaving out those that could not be sent would compare people of different kinds.
WITH units AS (
    SELECT
        email_id,
        user_id,
        address_key,
        campaign,
        variant,
        band,
        CASE WHEN status = 'held_out' THEN 'held_out' ELSE 'mailed' END AS arm,
        status,
        decided_at,
        decided_at + $window AS window_end
    FROM email_deliveries
    WHERE decided_at <= $as_of
),

bought AS (
    SELECT units.email_id, SUM(raw_orders.total_value) AS revenue
    FROM units
    INNER JOIN raw_orders
        ON units.user_id = raw_orders.user_id
        AND units.decided_at < raw_orders.ordered_at
        AND units.window_end >= raw_orders.ordered_at
    WHERE raw_orders.status NOT IN ('cancelled', 'returned') AND raw_orders.ordered_at <= $as_of
    GROUP BY units.email_id
),

-- A later status hides an earlier one, so what happened is also read from the events.
reported AS (
    SELECT
        email_id,
        BOOL_OR(kind = 'delivery') AS delivered,
        BOOL_OR(kind = 'open') AS opened,
        BOOL_OR(kind = 'click') AS clicked
    FROM email_events
    WHERE email_id IS NOT NULL
    GROUP BY email_id
),

outcomes AS (
    SELECT
        units.*,
        -- The orders of a person who has been erased are gone: they still count as written to, but for no effect.
        units.window_end <= $as_of AND units.user_id NOT LIKE 'erased:%' AS is_complete,
        bought.email_id IS NOT NULL AS has_ordered,
        COALESCE(bought.revenue, 0) AS revenue,
        units.status IN ('sent', 'delivered', 'opened', 'clicked', 'bounced', 'complained') AS is_sent,
        units.status IN ('delivered', 'opened', 'clicked', 'complained')
        OR COALESCE(reported.delivered OR reported.opened OR reported.clicked, FALSE) AS is_delivered,
        units.status IN ('opened', 'clicked') OR COALESCE(reported.opened OR reported.clicked, FALSE) AS is_opened,
        units.status = 'clicked' OR COALESCE(reported.clicked, FALSE) AS is_clicked
    FROM units
    LEFT JOIN bought ON units.email_id = bought.email_id
    LEFT JOIN reported ON units.email_id = reported.email_id
),

-- Rows of one address are not independent of each other: they are summed up first, and only the sums are compared.
clusters AS (
    SELECT
        campaign,
        CASE WHEN GROUPING(variant) = 0 THEN 'variant' WHEN GROUPING(band) = 0 THEN 'band' ELSE 'campaign' END
            AS segment_kind,
        CASE WHEN GROUPING(variant) = 0 THEN variant WHEN GROUPING(band) = 0 THEN band ELSE campaign END AS segment,
        arm,
        address_key,
        COUNT(*) AS decided,
        COUNT(*) FILTER (WHERE is_sent) AS sent,
        COUNT(*) FILTER (WHERE is_delivered) AS delivered,
        COUNT(*) FILTER (WHERE is_opened) AS opened,
        COUNT(*) FILTER (WHERE is_clicked) AS clicked,
        COUNT(*) FILTER (WHERE has_ordered) AS ordered_so_far,
        SUM(revenue) AS revenue_so_far,
        CAST(COUNT(*) FILTER (WHERE is_complete) AS DOUBLE) AS units,
        CAST(COUNT(*) FILTER (WHERE is_complete AND has_ordered) AS DOUBLE) AS ordered,
        SUM(CASE WHEN is_complete THEN revenue ELSE 0 END) AS revenue
    FROM outcomes
    GROUP BY GROUPING SETS (
        (campaign, arm, address_key), (campaign, arm, address_key, variant), (campaign, arm, address_key, band)
    )
)

SELECT
    campaign,
    segment_kind,
    segment,
    arm,
    CAST(SUM(decided) AS BIGINT) AS decided,
    CAST(SUM(sent) AS BIGINT) AS sent,
    CAST(SUM(delivered) AS BIGINT) AS delivered,
    CAST(SUM(opened) AS BIGINT) AS opened,
    CAST(SUM(clicked) AS BIGINT) AS clicked,
    CAST(SUM(ordered_so_far) AS BIGINT) AS ordered_so_far,
    SUM(revenue_so_far) AS revenue_so_far,
    COUNT(*) FILTER (WHERE units > 0) AS addresses,
    SUM(units) AS units,
    SUM(units * units) AS units_squared,
    SUM(ordered) AS ordered,
    SUM(ordered * ordered) AS ordered_squared,
    SUM(ordered * units) AS ordered_units,
    SUM(revenue) AS value,
    SUM(revenue * revenue) AS value_squared,
    SUM(revenue * units) AS value_units
FROM clusters
WHERE segment IS NOT NULL
GROUP BY campaign, segment_kind, segment, arm
ORDER BY campaign, segment_kind, segment, arm
