-- Written by hand. `oldest_ms` precedes the body. STRICT and WITHOUT ROWID are unchanged. The unchanged view is created
-- again.
DROP VIEW `ledger_entries`;
--> statement-breakpoint
CREATE TABLE `ledger_pages_with_oldest` (
	`ledger_id` text NOT NULL,
	`flush_entry` integer NOT NULL,
	`wallet_number` integer NOT NULL,
	`format` integer NOT NULL,
	`first_entry` integer NOT NULL,
	`last_entry` integer NOT NULL,
	`entry_count` integer NOT NULL,
	`first_at_ms` integer NOT NULL,
	`last_at_ms` integer NOT NULL,
	`balance_before_micro` integer NOT NULL,
	`balance_after_micro` integer NOT NULL,
	`oldest_ms` integer NOT NULL,
	`events` integer NOT NULL,
	`burned_micro` integer NOT NULL,
	`cost_micro` integer NOT NULL,
	`cost_pico` integer NOT NULL,
	`price_micro` integer NOT NULL,
	`price_pico` integer NOT NULL,
	`paid_micro` integer NOT NULL,
	`paid_pico` integer NOT NULL,
	`body` text NOT NULL,
	PRIMARY KEY(`ledger_id`, `flush_entry`, `wallet_number`),
	CONSTRAINT "ledger_pages_entries" CHECK("first_entry" <= "last_entry")
) WITHOUT ROWID, STRICT;
--> statement-breakpoint
INSERT INTO `ledger_pages_with_oldest`
SELECT ledger_id, flush_entry, wallet_number, format, first_entry, last_entry, entry_count, first_at_ms, last_at_ms,
	balance_before_micro, balance_after_micro,
	(SELECT min(min(value ->> 'at', coalesce(value ->> 'ef', value ->> 'at'),
		CASE WHEN value -> 'e' -> 'rr' IS NULL THEN coalesce(value -> 'e' ->> 'ts', value ->> 'at') ELSE value ->> 'at' END))
		FROM json_each(body)),
	events, burned_micro, cost_micro, cost_pico, price_micro, price_pico, paid_micro, paid_pico, body
FROM `ledger_pages`;
--> statement-breakpoint
DROP TABLE `ledger_pages`;
--> statement-breakpoint
ALTER TABLE `ledger_pages_with_oldest` RENAME TO `ledger_pages`;
--> statement-breakpoint
CREATE INDEX `ledger_pages_wallet` ON `ledger_pages` (`ledger_id`,`wallet_number`,`flush_entry`);
--> statement-breakpoint
CREATE INDEX `ledger_pages_late` ON `ledger_pages` (`ledger_id`,`flush_entry`) WHERE "oldest_ms" < "first_at_ms" - 3600000;
--> statement-breakpoint
-- Shows pages as a table of entries, for operators. The names of the fields are those of format 1
-- (docs/storage-schema.md). The ids have the form of src/ids.ts: the time, the entry number, and the tag of the ledger,
-- with which the ids of its wallets end.
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
	entry.value -> 'md' AS metadata,
	entry.value -> 'e' ->> 'ts' AS timestamp_ms,
	entry.value -> 'e' ->> 'y' AS event_type,
	coalesce(entry.value -> 'e', entry.value -> 'cp', entry.value -> 'rv') ->> 'f' AS feature_id,
	users.external_id AS user_id,
	teams.external_id AS team_id,
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
