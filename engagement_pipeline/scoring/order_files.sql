-- The records of an order file, as text, to orders. `problem` says what keeps a record from being used (field: reason).
SELECT
    user_id,
    ordered_at,
    total_value,
    status,
    CASE
        WHEN problem IS NOT NULL THEN problem
        WHEN user_id IS NULL THEN 'user_id: is missing'
        WHEN given_moment IS NULL THEN 'ordered_at: is missing'
        WHEN ordered_at IS NULL THEN 'ordered_at: is not a date in the expected format'
        WHEN given_value IS NULL THEN 'total_value: is missing'
        WHEN total_value IS NULL THEN 'total_value: is not a number'
        WHEN total_value < 0 THEN 'total_value: is negative'
    END AS problem
FROM (
    SELECT
        NULLIF(TRIM(user_id), '') AS user_id,
        NULLIF(TRIM(ordered_at), '') AS given_moment,
        NULLIF(TRIM(total_value), '') AS given_value,
        CASE WHEN ISFINITE(moment) THEN moment END AS ordered_at,
        CASE WHEN ISFINITE(number) THEN number END AS total_value,
        LOWER(TRIM(status)) AS status,
        problem
    FROM (
        SELECT
            *,
            CASE
                WHEN CAST($date_format AS VARCHAR) IS NULL THEN TRY_CAST(ordered_at AS TIMESTAMPTZ) AT TIME ZONE 'UTC'
                ELSE TRY_STRPTIME(ordered_at, CAST($date_format AS VARCHAR))
            END AS moment,
            TRY_CAST(total_value AS DOUBLE) AS number
        FROM records
    )
)
