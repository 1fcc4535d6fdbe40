import type { VNode } from 'preact'
import { type AnswerOf, call } from '../api/call.ts'
import { useApi } from '../api/use-api.ts'
import { Action } from '../components/action.tsx'
import { Amount } from '../components/amount.tsx'
import { Card, Empty, Page, Show } from '../components/page.tsx'
import { Table } from '../components/table.tsx'
import { Time } from '../components/time.tsx'

type Feeds = AnswerOf<'/v1/admin/price-feed'>

export default function Prices(): VNode {
  const feeds = useApi((signal) => call('get', '/v1/admin/price-feed', { signal }), [])
  return (
    <Page title="Price feed" lead="The price feeds that were read. A waiting feed needs your approval.">
      <Show from={feeds}>{(data) => <Feed feeds={data} reload={feeds.reload} />}</Show>
    </Page>
  )
}

function Feed({ feeds, reload }: { readonly feeds: Feeds; readonly reload: () => void }): VNode {
  const { enabled, url, bound_percent, applied_version, data } = feeds
  const decide = async (decision: 'apply' | 'reject', feed_id: string) => {
    await call('post', `/v1/admin/price-feed/${decision}`, { body: { feed_id } })
    reload()
  }
  return (
    <Card title="Feed">
      {enabled ? (
        <p>
          {url}, version <Amount value={applied_version} /> applied.
          {bound_percent !== null && (
            <>
              {' '}
              A price that changes by more than <Amount value={bound_percent} unit="%" />, disappears or
              becomes zero needs your approval.
            </>
          )}
        </p>
      ) : (
        <p class="notice">
          The feed is off. Set <code>PRICE_FEED_URL</code> and <code>PRICE_FEED_KEY</code> to read published
          prices.
        </p>
      )}
      {data.length === 0 ? (
        <Empty title="No prices were read yet">
          <p>The scheduled job reads the feed every 15 minutes.</p>
        </Empty>
      ) : (
        <Table
          caption="Feeds"
          rows={data}
          rowKey={({ feed_id }) => feed_id}
          columns={[
            { title: 'Read', cell: ({ last_read_at }) => <Time at={last_read_at} /> },
            {
              title: 'Version',
              numeric: true,
              cell: ({ version }) => (version === null ? '–' : <Amount value={version} />),
            },
            { title: 'Status', cell: ({ status }) => status.toLowerCase() },
            { title: 'Prices set', numeric: true, cell: ({ prices_set }) => <Amount value={prices_set} /> },
            {
              title: 'Prices ended',
              numeric: true,
              cell: ({ prices_ended }) => <Amount value={prices_ended} />,
            },
            {
              title: 'Reasons for waiting or refusal',
              cell: ({ reasons }) =>
                reasons.length === 0 ? (
                  '–'
                ) : (
                  <ul>
                    {reasons.map((reason) => (
                      <li key={reason}>{reason}</li>
                    ))}
                  </ul>
                ),
            },
            {
              title: '',
              cell: ({ feed_id, status }) =>
                status === 'WAITING' && (
                  <span class="actions">
                    <Action
                      label="Apply"
                      of={feed_id}
                      confirm="Apply these prices to all later events?"
                      run={() => decide('apply', feed_id)}
                    />
                    <Action label="Reject" of={feed_id} run={() => decide('reject', feed_id)} />
                  </span>
                ),
            },
          ]}
        />
      )}
    </Card>
  )
}
