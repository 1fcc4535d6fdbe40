-- Gives the later scopes to keys that have all of the first ones, as a customer's first key does. A key that was
-- created with fewer keeps exactly its own.
UPDATE `api_keys` SET `scopes` = `scopes` || ' webhooks:read webhooks:write gateway:use provider-keys:write portal:write'
WHERE ' ' || `scopes` || ' ' LIKE '% events:write %'
	AND ' ' || `scopes` || ' ' LIKE '% credits:read %'
	AND ' ' || `scopes` || ' ' LIKE '% credits:write %'
	AND ' ' || `scopes` || ' ' LIKE '% pricing:read %'
	AND ' ' || `scopes` || ' ' LIKE '% pricing:write %'
	AND ' ' || `scopes` || ' ' LIKE '% entitlements:read %'
	AND ' ' || `scopes` || ' ' LIKE '% entitlements:write %'
	AND ' ' || `scopes` || ' ' LIKE '% analytics:read %'
	AND ' ' || `scopes` || ' ' LIKE '% keys:write %'
	AND ' ' || `scopes` || ' ' NOT LIKE '% gateway:use %';
