-- How far users came on the way from risk to order, and why not further. Reads `outcomes` and `at_risk_cohorts`; binds
-- $campaign.
WITH decided AS (
    SELECT
        user_id,
        BOOL_OR(is_sent) AS is_written,
        BOOL_OR(is_sent AND is_delivered) AS is_delivered,
        BOOL_OR(is_sent AND is_clicked) AS is_clicked,
        BOOL_OR(is_sent AND has_ordered) AS has_ordered,
        -- Of a user with several e-mails of which none was sent, the newest tells why.
        ARG_MAX(
            CASE
                WHEN status IN ('draft', 'queued', 'sending') THEN 'waiting'
                WHEN status = 'held_out' THEN 'hold_out'
                WHEN status = 'skipped' THEN COALESCE(reason, 'skipped')
                ELSE status
            END,
            decided_at
        ) AS why_not
    FROM outcomes
    WHERE campaign = $campaign
    GROUP BY user_id
),

people AS (
    SELECT
        decided.*,
        CASE
            WHEN decided.is_written THEN 'written'
            WHEN decided.user_id IS NOT NULL OR cohort.decision <> 'skip' THEN 'eligible'
            ELSE 'below'
        END AS reached,
        CASE
            WHEN decided.is_written THEN NULL
            WHEN decided.user_id IS NOT NULL THEN decided.why_not
            WHEN cohort.decision = 'mail' THEN 'waiting'
            ELSE cohort.reason
        END AS reason
    FROM at_risk_cohorts AS cohort FULL JOIN decided ON cohort.user_id = decided.user_id
)

SELECT
    reached,
    reason,
    COUNT(*) AS users,
    COUNT(*) FILTER (WHERE is_delivered) AS delivered,
    COUNT(*) FILTER (WHERE is_clicked) AS clicked,
    COUNT(*) FILTER (WHERE has_ordered) AS ordered
FROM people
GROUP BY ALL
