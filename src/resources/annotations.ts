/** Binds a Kubernetes namespace to a customer; set by a cluster admin. */
export const CUSTOMER_ID_ANNOTATION = 'phases.rsolv.dev/customer-id';

/** The API key that stored this run; set by the API, read only on runs that the API made. */
export const API_KEY_ID_ANNOTATION = 'phases.rsolv.dev/api-key-id';

/** The W3C trace that the run began in, from the request that stored it. */
export const TRACEPARENT_ANNOTATION = 'phases.rsolv.dev/traceparent';

/** The slot of a run, hashed: finds the runs of a slot without reading all of them. */
export const SLOT_LABEL = 'phases.rsolv.dev/slot';

/** The phase of a run. */
export const PHASE_LABEL = 'phases.rsolv.dev/phase';
