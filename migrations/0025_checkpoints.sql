CREATE TABLE `checkpoints` (
	`ledger_id` text NOT NULL,
	`entry_number` integer NOT NULL,
	`hash` text NOT NULL,
	`created_at_ms` integer NOT NULL,
	`key_id` text NOT NULL,
	`note` text NOT NULL,
	PRIMARY KEY(`ledger_id`, `entry_number`)
) STRICT, WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `signing_keys` (
	`key_id` text PRIMARY KEY NOT NULL,
	`public_key` text NOT NULL,
	`created_at_ms` integer NOT NULL
) STRICT, WITHOUT ROWID;
