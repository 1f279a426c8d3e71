-- What became of each arm of each campaign, or of its parts. Reads `segments`: outcomes with the segment that they count
-- for. Rows of one address are not independent of each other: they are summed up first, and only the sums are compared.
WITH clusters AS (
    SELECT
        campaign,
        segment,
        arm,
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
    FROM segments
    -- A number instead of a key of 64 characters takes a fraction of the memory.
    GROUP BY campaign, segment, arm, address
)

SELECT
    campaign,
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
GROUP BY campaign, segment, arm
