-- What became of each decision to write or to hold out, one row each; binds $since, $as_of and $window.
-- A unit is a row of the ledger. By intention to treat it belongs to the arm that the decision put it in, whatever
-- became of it later: leaving out those that could not be sent would compare people of different kinds.
WITH units AS NOT MATERIALIZED (
    SELECT
        email_id,
        user_id,
        address_key,
        campaign,
        variant,
        band,
        CASE WHEN status = 'held_out' THEN 'held_out' ELSE 'mailed' END AS arm,
        status,
        reason,
        decided_at,
        decided_at + $window AS window_end,
        -- The orders of a person who has been erased are gone. Whom somebody chose to write to is not like the hold-out,
        -- which was drawn. Both count as written to, but for no effect.
        user_id NOT LIKE 'erased:%' AND requested_by IS NULL AS is_comparable
    FROM email_deliveries
    WHERE decided_at >= $since AND decided_at <= $as_of
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

-- A later status hides an earlier one, so what happened is also read from the events: from those few that say more than
-- the status, as bringing all of them together would take more memory than everything else.
reported AS (
    SELECT
        units.email_id,
        BOOL_OR(email_events.kind = 'open') AS opened,
        BOOL_OR(email_events.kind = 'click') AS clicked
    FROM units
    INNER JOIN email_events ON units.email_id = email_events.email_id
    WHERE
        (email_events.kind = 'delivery' AND units.status NOT IN ('delivered', 'opened', 'clicked', 'complained'))
        OR (email_events.kind = 'open' AND units.status NOT IN ('opened', 'clicked'))
        OR (email_events.kind = 'click' AND units.status <> 'clicked')
    GROUP BY units.email_id
)

SELECT
    units.*,
    units.window_end <= $as_of AND units.is_comparable AS is_complete,
    bought.email_id IS NOT NULL AS has_ordered,
    COALESCE(bought.revenue, 0) AS revenue,
    units.status IN ('sent', 'delivered', 'opened', 'clicked', 'bounced', 'complained') AS is_sent,
    units.status IN ('delivered', 'opened', 'clicked', 'complained')
    OR reported.email_id IS NOT NULL AS is_delivered,
    units.status IN ('opened', 'clicked') OR COALESCE(reported.opened OR reported.clicked, FALSE) AS is_opened,
    units.status = 'clicked' OR COALESCE(reported.clicked, FALSE) AS is_clicked
FROM units
LEFT JOIN bought ON units.email_id = bought.email_id
LEFT JOIN reported ON units.email_id = reported.email_id
