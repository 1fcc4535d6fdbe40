/** The methods of a ledger object that the Worker calls. Messages and answers travel as JSON texts (`model/messages/`). */
export interface LedgerRpc extends Rpc.DurableObjectBranded {
  open(json: string): Promise<string>
  ingest(json: string): Promise<string>
  credit(json: string): Promise<string>
  rerate(json: string): Promise<string>
  unrated(json: string): Promise<string>
  move(json: string): Promise<string>
  hold(json: string): Promise<string>
  holds(json: string): Promise<string>
  balance(json: string): Promise<string>
  lots(json: string): Promise<string>
  recurringGrants(json: string): Promise<string>
  entries(json: string): Promise<string>
  projectionState(json: string): Promise<string>
  saveBurnTable(json: string): Promise<string>
  deactivateBurnTable(json: string): Promise<string>
  burnTables(json: string): Promise<string>
  quote(json: string): Promise<string>
  burnTableSnapshot(): Promise<string>
  acceptBurnTables(json: string): Promise<void>
  changeEntitlement(json: string): Promise<string>
  entitlements(json: string): Promise<string>
  checkEntitlement(json: string): Promise<string>
  checkAndHold(json: string): Promise<string>
  entitlementsAfter(revision: number): Promise<string>
  entitlementRevision(): Promise<number>
  acceptEntitlements(json: string): Promise<boolean>
  catchUp(json: string): Promise<string>
  eraseSubject(json: string): Promise<string>
  revokeKey(key_id: string, at_ms: number): Promise<void>
  setAccount(json: string): Promise<void>
  books(): Promise<string>
  rewritePages(json: string): Promise<string>
  wake(d1_row?: number): Promise<void>
  ping(): Promise<'pong'>
}
