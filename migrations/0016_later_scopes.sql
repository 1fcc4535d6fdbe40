-- Adds the new scopes to keys that have all earlier scopes, such as the first key of a customer. All other keys keep
-- exactly their scopes.
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
