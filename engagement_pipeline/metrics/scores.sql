-- Users by band and by bin of $width points of score: two answers from one look at the table.
SELECT
    band,
    CAST(LEAST(FLOOR(score / $width), CEIL(100 / $width) - 1) AS INTEGER) AS bin,
    COUNT(*) AS users,
    MAX(as_of) AS as_of
FROM engagement_scores
GROUP BY ALL
