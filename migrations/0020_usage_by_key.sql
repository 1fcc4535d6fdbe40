-- Adds a column at the end, which writes no row. Creates the view again, with the API key of an entry.
ALTER TABLE `rollup_days` ADD `by_key` text;
--> statement-breakpoint
DROP VIEW `ledger_entries`;
--> statement-breakpoint
CREATE VIEW `ledger_entries` AS
SELECT page.ledger_id, page.flush_entry,
	entry.value ->> 'n' AS entry,
	'txn_' || substr('0123456789abcdefghjkmnpqrstvwxyz', (((entry.value ->> 'at') >> 45) & 31) + 1, 1) || substr('0123456789abcdefghjkmnpqrstvwxyz', (((entry.value ->> 'at') >> 40) & 31) + 1, 1) || substr('0123456789abcdefghjkmnpqrstvwxyz', (((entry.value ->> 'at') >> 35) & 31) + 1, 1) || substr('0123456789abcdefghjkmnpqrstvwxyz', (((entry.value ->> 'at') >> 30) & 31) + 1, 1) || substr('0123456789abcdefghjkmnpqrstvwxyz', (((entry.value ->> 'at') >> 25) & 31) + 1, 1) || substr('0123456789abcdefghjkmnpqrstvwxyz', (((entry.value ->> 'at') >> 20) & 31) + 1, 1) || substr('0123456789abcdefghjkmnpqrstvwxyz', (((entry.value ->> 'at') >> 15) & 31) + 1, 1) || substr('0123456789abcdefghjkmnpqrstvwxyz', (((entry.value ->> 'at') >> 10) & 31) + 1, 1) || substr('0123456789abcdefghjkmnpqrstvwxyz', (((entry.value ->> 'at') >> 5) & 31) + 1, 1) || substr('0123456789abcdefghjkmnpqrstvwxyz', (((entry.value ->> 'at') >> 0) & 31) + 1, 1) || substr('0123456789abcdefghjkmnpqrstvwxyz', (((entry.value ->> 'n') >> 35) & 31) + 1, 1) || substr('0123456789abcdefghjkmnpqrstvwxyz', (((entry.value ->> 'n') >> 30) & 31) + 1, 1) || substr('0123456789abcdefghjkmnpqrstvwxyz', (((entry.value ->> 'n') >> 25) & 31) + 1, 1) || substr('0123456789abcdefghjkmnpqrstvwxyz', (((entry.value ->> 'n') >> 20) & 31) + 1, 1) || substr('0123456789abcdefghjkmnpqrstvwxyz', (((entry.value ->> 'n') >> 15) & 31) + 1, 1) || substr('0123456789abcdefghjkmnpqrstvwxyz', (((entry.value ->> 'n') >> 10) & 31) + 1, 1) || substr('0123456789abcdefghjkmnpqrstvwxyz', (((entry.value ->> 'n') >> 5) & 31) + 1, 1) || substr('0123456789abcdefghjkmnpqrstvwxyz', (((entry.value ->> 'n') >> 0) & 31) + 1, 1) || substr(wallets.wallet_id, -8) AS id,
	CASE WHEN entry.value -> 'e' IS NOT NULL AND entry.value -> 'e' -> 'rr' IS NULL THEN
		'evt_' || substr('0123456789abcdefghjkmnpqrstvwxyz', (((entry.value ->> 'at') >> 45) & 31) + 1, 1) || substr('0123456789abcdefghjkmnpqrstvwxyz', (((entry.value ->> 'at') >> 40) & 31) + 1, 1) || substr('0123456789abcdefghjkmnpqrstvwxyz', (((entry.value ->> 'at') >> 35) & 31) + 1, 1) || substr('0123456789abcdefghjkmnpqrstvwxyz', (((entry.value ->> 'at') >> 30) & 31) + 1, 1) || substr('0123456789abcdefghjkmnpqrstvwxyz', (((entry.value ->> 'at') >> 25) & 31) + 1, 1) || substr('0123456789abcdefghjkmnpqrstvwxyz', (((entry.value ->> 'at') >> 20) & 31) + 1, 1) || substr('0123456789abcdefghjkmnpqrstvwxyz', (((entry.value ->> 'at') >> 15) & 31) + 1, 1) || substr('0123456789abcdefghjkmnpqrstvwxyz', (((entry.value ->> 'at') >> 10) & 31) + 1, 1) || substr('0123456789abcdefghjkmnpqrstvwxyz', (((entry.value ->> 'at') >> 5) & 31) + 1, 1) || substr('0123456789abcdefghjkmnpqrstvwxyz', (((entry.value ->> 'at') >> 0) & 31) + 1, 1) || substr('0123456789abcdefghjkmnpqrstvwxyz', (((entry.value ->> 'n') >> 35) & 31) + 1, 1) || substr('0123456789abcdefghjkmnpqrstvwxyz', (((entry.value ->> 'n') >> 30) & 31) + 1, 1) || substr('0123456789abcdefghjkmnpqrstvwxyz', (((entry.value ->> 'n') >> 25) & 31) + 1, 1) || substr('0123456789abcdefghjkmnpqrstvwxyz', (((entry.value ->> 'n') >> 20) & 31) + 1, 1) || substr('0123456789abcdefghjkmnpqrstvwxyz', (((entry.value ->> 'n') >> 15) & 31) + 1, 1) || substr('0123456789abcdefghjkmnpqrstvwxyz', (((entry.value ->> 'n') >> 10) & 31) + 1, 1) || substr('0123456789abcdefghjkmnpqrstvwxyz', (((entry.value ->> 'n') >> 5) & 31) + 1, 1) || substr('0123456789abcdefghjkmnpqrstvwxyz', (((entry.value ->> 'n') >> 0) & 31) + 1, 1) || substr(wallets.wallet_id, -8)
	END AS event_id,
	page.wallet_number, wallets.wallet_id,
	entry.value ->> 't' AS type,
	entry.value ->> 'a' AS amount_micro,
	entry.value ->> 'b' AS balance_after_micro,
	entry.value ->> 'at' AS at_ms,
	coalesce(entry.value ->> 'ef', entry.value ->> 'at') AS effective_at_ms,
	coalesce(entry.value -> 'l', '[]') AS lots,
	entry.value ->> 'd' AS description,
	entry.value ->> 'pr' AS payment_reference,
	coalesce(entry.value ->> 'mt', entry.value -> 'md') AS metadata,
	entry.value -> 'e' ->> 'ts' AS timestamp_ms,
	entry.value -> 'e' ->> 'y' AS event_type,
	coalesce(entry.value -> 'e', entry.value -> 'cp', entry.value -> 'rv') ->> 'f' AS feature_id,
	users.external_id AS user_id,
	teams.external_id AS team_id,
	coalesce(entry.value -> 'e', entry.value -> 'cp', entry.value -> 'rv') ->> 'ki' AS key_id,
	coalesce(entry.value -> 'e', entry.value -> 'rv') ->> 'p' AS provider,
	coalesce(entry.value -> 'e', entry.value -> 'rv') ->> 'm' AS model,
	entry.value -> 'e' -> 'q' AS usage,
	entry.value -> 'e' -> 'x' AS custom_usage,
	entry.value -> 'e' -> 'c' ->> 0 AS cost_micro,
	entry.value -> 'e' -> 'c' ->> 1 AS cost_pico,
	entry.value -> 'e' -> 'r' ->> 0 AS price_micro,
	entry.value -> 'e' -> 'r' ->> 1 AS price_pico,
	entry.value -> 'e' ->> 'bt' AS burn_table_version,
	entry.value -> 'e' ->> 'pv' AS price_version,
	coalesce(entry.value -> 'e' ->> 'un', 0) AS unrated,
	entry.value -> 'e' -> 'rr' ->> 0 AS rates_entry
FROM ledger_pages AS page
JOIN json_each(page.body) AS entry
LEFT JOIN wallets ON wallets.ledger_id = page.ledger_id AND wallets.wallet_number = page.wallet_number
LEFT JOIN subjects AS users ON users.ledger_id = page.ledger_id AND users.kind = 'user'
	AND users.number = coalesce(entry.value -> 'e', entry.value -> 'cp', entry.value -> 'rv') ->> 'u'
LEFT JOIN subjects AS teams ON teams.ledger_id = page.ledger_id AND teams.kind = 'team'
	AND teams.number = coalesce(entry.value -> 'e', entry.value -> 'cp', entry.value -> 'rv') ->> 'g'
WHERE page.format = 1;
