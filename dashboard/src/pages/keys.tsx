import type { VNode } from 'preact'
import { useState } from 'preact/hooks'
import { SCOPES } from '../../../src/api-keys/authentication/scopes.ts'
import { call } from '../api/call.ts'
import { Action } from '../components/action.tsx'
import { Code } from '../components/code.tsx'
import { type Fields, Form, Input, Select } from '../components/form.tsx'
import { ListView, useList } from '../components/list.tsx'
import { Card, Empty, Page } from '../components/page.tsx'
import { Table } from '../components/table.tsx'
import { Time } from '../components/time.tsx'
import { may, session, signIn } from '../session.ts'

/**
 * The times, in seconds, for which an old key can still be used after its rotation. In this time, clients change to the
 * new key.
 */
const OVERLAPS = [
  ['0', 'ends at once'],
  ['3600', 'works for another hour'],
  ['86400', 'works for another day'],
  ['604800', 'works for another week'],
] as const

export default function Keys(): VNode {
  const list = useList((cursor, signal) => call('get', '/v1/api-keys', { query: { cursor }, signal }), [])
  const [made, setMade] = useState<{ readonly name: string; readonly api_key: string }>()
  const [rotated, setRotated] = useState<string>()
  const own = session.value?.kind === 'customer' ? session.value.key_id : undefined
  const remove = async (id: string) => {
    await call('delete', '/v1/api-keys/{id}', { path: { id } })
    list.reload()
  }
  const rotate = async (id: string, overlap: string) => {
    const body = { overlap_seconds: Number(overlap) }
    const key = await call('post', '/v1/api-keys/{id}/rotate', { path: { id }, body })
    setMade(key)
    setRotated(undefined)
    // The session ends with its old key. Therefore, the page signs in with the new key.
    if (id === own) await signIn(key.api_key)
    list.reload()
  }
  return (
    <Page
      title="API keys"
      lead="The keys of your servers. The scopes of a key determine which requests it may send."
    >
      {made && (
        <Card title={`The key ${made.name}`}>
          <p>Copy it now. It is shown only once.</p>
          <Code label="The new API key" text={made.api_key} />
        </Card>
      )}
      <Card title="Keys">
        <ListView list={list} empty={<Empty title="No key">{<p>Create one below.</p>}</Empty>}>
          {(rows) => (
            <Table
              caption="API keys"
              rows={rows}
              rowKey={({ key_id }) => key_id}
              columns={[
                {
                  title: 'Name',
                  cell: ({ name, key_id }) => (
                    <>
                      {name}
                      {key_id === own && <span class="badge">this session</span>}
                      <div class="quiet">
                        <code>{key_id}</code>
                      </div>
                    </>
                  ),
                },
                { title: 'Mode', cell: ({ mode }) => mode },
                { title: 'Status', cell: ({ status }) => status },
                {
                  title: 'Scopes',
                  cell: ({ scopes }) => (scopes.length === SCOPES.length ? 'all' : scopes.join(', ')),
                },
                {
                  title: 'Last used',
                  cell: ({ last_used_at }) => (last_used_at === null ? 'never' : <Time at={last_used_at} />),
                },
                {
                  title: 'Expires',
                  cell: ({ expires_at }) => (expires_at === null ? 'never' : <Time at={expires_at} />),
                },
                {
                  title: '',
                  cell: ({ key_id, name, status }) =>
                    status === 'active' &&
                    may('keys:write') && (
                      <span class="actions">
                        <button type="button" class="secondary" onClick={() => setRotated(key_id)}>
                          Rotate<span class="hidden"> {name}</span>
                        </button>
                        <Action
                          label="Delete"
                          of={name}
                          confirm={
                            key_id === own
                              ? 'Delete the key of your session? The session then ends.'
                              : 'Delete this key? Requests with it are then refused, after 90 seconds at the latest.'
                          }
                          run={() => remove(key_id)}
                        />
                      </span>
                    ),
                },
              ]}
            />
          )}
        </ListView>
      </Card>
      {rotated !== undefined && (
        <Card title={`Rotate ${list.rows?.find(({ key_id }) => key_id === rotated)?.name ?? rotated}`}>
          <Form
            label="Rotate a key"
            submit="Rotate"
            onSubmit={({ overlap = '0' }) => rotate(rotated, overlap)}
          >
            <Select label="The old key" name="overlap" options={OVERLAPS} />
          </Form>
        </Card>
      )}
      {may('keys:write') && (
        <Card title="Create a key">
          <Form
            label="Create a key"
            submit="Create"
            onSubmit={async (fields) => {
              setMade(await create(fields))
              list.reload()
            }}
          >
            <Input label="Name" name="name" maxLength={255} required />
            <Select
              label="Mode"
              name="mode"
              options={[
                ['live', 'live'],
                ['test', 'test: a separate ledger'],
              ]}
            />
            <Input label="Expires on" name="expires" type="date" />
            <fieldset class="wide">
              <legend>Scopes</legend>
              {SCOPES.filter((scope) => may(scope)).map((scope) => (
                <label key={scope} class="choice">
                  <input type="checkbox" name={`scope ${scope}`} defaultChecked={scope === 'events:write'} />{' '}
                  {scope}
                </label>
              ))}
            </fieldset>
          </Form>
        </Card>
      )}
    </Page>
  )
}

async function create(fields: Fields): Promise<{ readonly name: string; readonly api_key: string }> {
  const { name = '', expires } = fields
  const body = {
    name,
    mode: fields.mode === 'test' ? ('test' as const) : ('live' as const),
    scopes: SCOPES.filter((scope) => fields[`scope ${scope}`] !== undefined),
    ...(expires !== undefined && { expires_at: `${expires}T23:59:59Z` }),
  }
  return call('post', '/v1/api-keys', { body })
}
