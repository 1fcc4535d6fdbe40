import type { VNode } from 'preact'
import { useState } from 'preact/hooks'
import { route, setQuery } from '../router.ts'
import { type Fields, Input, Select } from './form.tsx'
import { Card } from './page.tsx'

/** The owner of a wallet: a user, a team, or the customer if both are undefined. */
export interface Owner {
  readonly user_id?: string
  readonly team_id?: string
}

/** Returns the wallet owner that the query of a page selects. */
export function ownerOf(query: URLSearchParams): Owner {
  const [user_id, team_id] = [query.get('user_id'), query.get('team_id')]
  return { ...(user_id !== null && { user_id }), ...(team_id !== null && { team_id }) }
}

/** Fields that select the wallet of a page. The selection is stored in the query. */
export function WalletPicker(): VNode {
  const owner = ownerOf(route.value.query)
  const name = owner.user_id ?? owner.team_id
  return (
    <Card title="Wallet">
      <div class="fields">
        <Input
          label="User"
          name="user_id"
          value={owner.user_id ?? ''}
          onValue={(value) => setQuery({ user_id: value, team_id: undefined })}
        />
        <Input
          label="Team"
          name="team_id"
          value={owner.team_id ?? ''}
          onValue={(value) => setQuery({ team_id: value, user_id: undefined })}
        />
      </div>
      <p class="quiet">
        {name === undefined
          ? "This is the customer's wallet. Enter a user or a team to see another wallet."
          : `This is the wallet of ${name}.`}
      </p>
    </Card>
  )
}

const OWNERS = [
  ['account', "the account's wallet"],
  ['user_id', "a user's wallet"],
  ['team_id', "a team's wallet"],
] as const

/** Form fields that select a wallet. */
export function OwnerFields({ label }: { readonly label: string }): VNode {
  const [owner, setOwner] = useState<string>('account')
  return (
    <>
      <Select label={label} name="owner" value={owner} options={OWNERS} onValue={setOwner} />
      {owner !== 'account' && (
        <Input
          key={owner}
          label={owner === 'user_id' ? "The user's id" : "The team's id"}
          name="owner_id"
          maxLength={255}
          required
        />
      )}
    </>
  )
}

/** Returns the wallet owner in the fields of `OwnerFields`. */
export function ownerIn({ owner, owner_id }: Fields): Owner {
  if (owner_id === undefined) return {}
  return owner === 'user_id' ? { user_id: owner_id } : { team_id: owner_id }
}

/** Returns the name of a wallet for a table. */
export function walletName({
  user_id,
  team_id,
}: {
  readonly user_id: string | null
  readonly team_id: string | null
}): string {
  if (user_id !== null) return `user ${user_id}`
  return team_id === null ? 'account' : `team ${team_id}`
}
