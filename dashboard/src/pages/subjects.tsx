import type { VNode } from 'preact'
import { call } from '../api/call.ts'
import { Action } from '../components/action.tsx'
import { type Fields, Form, Input } from '../components/form.tsx'
import { ListView, useList } from '../components/list.tsx'
import { Card, Empty, Page } from '../components/page.tsx'
import { Table } from '../components/table.tsx'
import { Time } from '../components/time.tsx'
import { href } from '../router.ts'
import { may } from '../session.ts'

export default function Subjects(): VNode {
  const users = useList((cursor, signal) => call('get', '/v1/users', { query: { cursor }, signal }), [])
  const teams = useList((cursor, signal) => call('get', '/v1/teams', { query: { cursor }, signal }), [])
  return (
    <Page
      title="Users and teams"
      lead="The users and teams in your ledger. Each is recorded when a request first names it, for example in an event."
    >
      <Card title="Users">
        <ListView
          list={users}
          empty={
            <Empty title="No user yet">
              <p>
                Send events with <code>user_id</code>, or add a user here.
              </p>
            </Empty>
          }
        >
          {(rows) => (
            <Table
              caption="Users"
              rows={rows}
              rowKey={({ user_id }) => user_id}
              columns={[
                { title: 'User', cell: ({ user_id }) => user_id },
                { title: 'Email', cell: ({ email }) => email ?? '–' },
                { title: 'Since', cell: ({ created_at }) => <Time at={created_at} /> },
                {
                  title: '',
                  cell: ({ user_id }) => (
                    <Links
                      id={user_id}
                      field="user"
                      erase={async () => {
                        await call('delete', '/v1/users/{user_id}', { path: { user_id } })
                        users.reload()
                      }}
                    />
                  ),
                },
              ]}
            />
          )}
        </ListView>
        {may('credits:write') && (
          <Form
            label="Add a user"
            submit="Add"
            onSubmit={(fields, key) => addUser(fields, key).then(users.reload)}
          >
            <Input label="New user's id" name="user_id" maxLength={255} required />
            <Input label="Email" name="email" type="email" maxLength={255} />
          </Form>
        )}
      </Card>
      <Card title="Teams">
        <ListView
          list={teams}
          empty={
            <Empty title="No team yet">
              <p>
                Send events with <code>team_id</code>, or add a team here. A team gets a wallet with its first
                credits.
              </p>
            </Empty>
          }
        >
          {(rows) => (
            <Table
              caption="Teams"
              rows={rows}
              rowKey={({ team_id }) => team_id}
              columns={[
                { title: 'Team', cell: ({ team_id }) => team_id },
                { title: 'Since', cell: ({ created_at }) => <Time at={created_at} /> },
                {
                  title: '',
                  cell: ({ team_id }) => (
                    <Links
                      id={team_id}
                      field="team"
                      erase={async () => {
                        await call('delete', '/v1/teams/{team_id}', { path: { team_id } })
                        teams.reload()
                      }}
                    />
                  ),
                },
              ]}
            />
          )}
        </ListView>
        {may('credits:write') && (
          <Form
            label="Add a team"
            submit="Add"
            onSubmit={(fields, key) => addTeam(fields, key).then(teams.reload)}
          >
            <Input label="New team's id" name="team_id" maxLength={255} required />
          </Form>
        )}
      </Card>
    </Page>
  )
}

async function addUser({ user_id = '', email }: Fields, idempotency_key: string): Promise<void> {
  await call('post', '/v1/users', { body: { user_id, email }, idempotency_key })
}

async function addTeam({ team_id = '' }: Fields, idempotency_key: string): Promise<void> {
  await call('post', '/v1/teams', { body: { team_id }, idempotency_key })
}

interface LinksProps {
  readonly id: string
  readonly field: 'user' | 'team'
  readonly erase: () => Promise<void>
}

function Links({ id, field, erase }: LinksProps): VNode {
  const of = <span class="hidden"> of {id}</span>
  return (
    <span class="actions">
      <a href={href('/usage', { [field]: id, group_by: 'day,model' })}>Usage{of}</a>
      <a href={href('/events', { [`${field}_id`]: id })}>Events{of}</a>
      <a href={href('/credits', { [`${field}_id`]: id })}>Wallet{of}</a>
      {may('credits:write') && (
        <Action
          label="Erase"
          of={id}
          confirm="Erase the id, the profile, the entitlements, the alerts and the metadata? Recurring grants and the automatic top-up end. The amounts stay."
          run={erase}
        />
      )}
    </span>
  )
}
