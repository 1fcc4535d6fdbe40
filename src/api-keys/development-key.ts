/**
 * The key of the demo customer that `npm start` seeds on a laptop. It is public, so it opens nothing wherever
 * `ENVIRONMENT` is not `development`, even if somebody copied a development database there.
 */
export const DEVELOPMENT_KEY_ID = 'key_00000000000000000000000000'
export const DEVELOPMENT_KEY =
  'om_live_00000000000000000000000000hDPtjXGyR06wPUklfq865zd9FLfNIASlMNgHYaT80NT2fYy7S'
export const DEVELOPMENT_KEY_HASH = 'a33d28358f9312d5955f4090e4940605bc12433768bbbc11cd011a98255d21e1'
export const DEVELOPMENT_OPERATOR_TOKEN = 'dev-operator-token'
