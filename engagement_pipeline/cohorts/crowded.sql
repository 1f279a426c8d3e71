-- Addresses at which a user may have to give way to another, as numbers: those of several users who pass the gate alone
-- or were touched within the cool-down. Reads `decisions`.
--
-- Grouping by a number instead of a 64-character key takes a fraction of the memory; two keys with one number only widen
-- the set that is then looked at by the key itself.
SELECT HASH(address_key) AS bucket
FROM decisions
WHERE address_key IS NOT NULL AND (decision <> 'skip' OR last_touch_at > $last_touch_latest)
GROUP BY HASH(address_key)
HAVING COUNT(*) > 1
