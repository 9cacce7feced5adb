export {
  ActivationAttempt,
  ActivationRecord,
  ActivationTimings,
  ActivationUsage,
  ColdReason,
} from "./activation.ts";
export {
  ActivationLogsQuery,
  ActivationPage,
  CancelReply,
  FunctionLogsPage,
  FunctionLogsQuery,
  GetActivationQuery,
  ListActivationsQuery,
  LogsReply,
} from "./api/activations.ts";
export { ClusterMember, ClusterMembersReply, MEMBER_STATES } from "./api/cluster.ts";
export {
  CadenceWorkerItem,
  CadenceWorkerPage,
  CadenceWorkerReply,
  CreateCadenceWorkerBody,
  PatchCadenceWorkerBody,
} from "./api/cadence-workers.ts";
export {
  DEAD_LETTER_KINDS,
  DEAD_LETTERS_AT_ONCE,
  DeadLetterItem,
  type DeadLetterKind,
  DeadLetterPage,
  DeadLetterParams,
  DeadLetterReply,
  DeadLetterSelection,
  ListDeadLettersQuery,
  PurgeReply,
  RedriveBody,
  RedriveReply,
} from "./api/dlq.ts";
export {
  CreateFunctionBody,
  FunctionPage,
  FunctionReply,
  GetFunctionQuery,
  ListFunctionsQuery,
} from "./api/functions.ts";
export {
  DelayMs,
  EnqueueReply,
  ExecutionReply,
  FunctionSpec,
  InvokeAcceptedReply,
  InvokeBody,
  InvokeReply,
} from "./api/invoke.ts";
export { AuditEventPage, ListAuditEventsQuery } from "./api/audit.ts";
export { AUDIT_OUTCOMES, type AuditEnd, AuditEvent, type AuditOutcome } from "./audit.ts";
export { DeletedReply, pageOf, PageQuery, pageQueryWith } from "./api/paging.ts";
export {
  ActivationParams,
  AliasParams,
  FunctionParams,
  NamespaceParams,
  SecretParams,
  TenantParams,
  VersionParams,
} from "./api/path-params.ts";
export { Power, POWER_KINDS, PowersDiff, PowersQuery } from "./api/powers.ts";
export { PutSecretBody, RekeyBody, RekeyReply, SecretPage, type UnreadableSecret } from "./api/secrets.ts";
export {
  CreateEventSourceBody,
  EventsAcceptedReply,
  EventSourceItem,
  EventSourcePage,
  EventSourceReply,
  EventSourceStatusReply,
  PatchEventSourceBody,
} from "./api/event-sources.ts";
export {
  CreateScheduleBody,
  PatchScheduleBody,
  RunScheduleReply,
  ScheduleItem,
  SchedulePage,
  ScheduleReply,
} from "./api/schedules.ts";
export { ErrorReply, HealthReply, ReadyReply } from "./api/service.ts";
export {
  CreateTokenBody,
  CreateTokenReply,
  ListTokensQuery,
  RevokeTokenQuery,
  TokenPage,
  TokenParams,
} from "./api/tokens.ts";
export { CreateUserBody, PatchUserBody, UserPage, UserParams } from "./api/users.ts";
export {
  AliasesReply,
  Base64Files,
  DraftReply,
  PublishBody,
  PublishReply,
  PutDraftBody,
  SetAliasBody,
  VersionFilesReply,
  VersionPage,
} from "./api/versions.ts";
export { BUDGET_OF_FIELD, budgetsOf, completeBudgets } from "./budget-defaults.ts";
export { Budgets, ManifestBudgets } from "./budgets.ts";
export {
  ACTIVITY_RESULTS,
  type ActivityResult,
  cadenceWorkerFields,
  CadenceWorkerRecord,
} from "./cadence-worker.ts";
export {
  CLOUDEVENTS_FORMATS,
  type CloudEventsFormat,
  describeDestination,
  Destination,
  DESTINATION_CONDITIONS,
  type DestinationCondition,
  Destinations,
} from "./destination.ts";
export {
  ERROR_CATALOGUE,
  type ErrorCode,
  errorEnvelope,
  type ErrorEnvelope,
  PlatformError,
  type PlatformErrorOptions,
} from "./errors.ts";
export {
  EVENT_SOURCE_STATES,
  EVENT_SOURCE_TYPES,
  EventRetry,
  eventSourceFields,
  EventSourceRecord,
  EventSourceStatus,
  type EventSourceType,
  WEBHOOK_SCHEMES,
  type WebhookScheme,
  type WebhookSignature,
} from "./event-source.ts";
export { coversPath, HTTP_METHODS, HttpAllow, type HttpMethod } from "./http-allow.ts";
export {
  activityActivationId,
  derivedActivationId,
  type IdempotencyScope,
  idempotentActivationId,
  newActivationId,
  newAuditEventId,
  newDraftId,
  newMessageId,
  newRequestId,
  newUserId,
  tickActivationId,
} from "./ids.ts";
export {
  ACTIVATION_STATUSES,
  type ActivationStatus,
  Envelope,
  ERROR_TYPES,
  FunctionError,
  type FunctionErrorType,
  FunctionRef,
  FunctionResult,
  type Invocation,
  INVOCATION_MODES,
  type InvocationMode,
  InvocationRequest,
  InvocationResult,
  isTerminal,
  Principal,
  TERMINAL_STATUSES,
  type TerminalStatus,
  TOPICS,
  Trigger,
  TRIGGER_TYPES,
  type TriggerType,
} from "./invocation.ts";
export { LIMITS, type Limits } from "./limits.ts";
export { Isolation, KvCapability, Manifest, Runtime } from "./manifest.ts";
export {
  AliasName,
  DEFAULT_NAMESPACE,
  DEFAULT_TENANT,
  DEPTH_HEADER,
  IdempotencyKey,
  isAliasName,
  isResourceName,
  isTenantId,
  LATEST_ALIAS,
  parseRefTarget,
  type RefTarget,
  ResourceName,
  SecretName,
  TenantId,
  UserName,
  VersionNumber,
} from "./names.ts";
export { errorCodeOf, isRetryable } from "./outcome-codes.ts";
export {
  AliasRecord,
  DraftRecord,
  FunctionRecord,
  SecretRecord,
  TokenRecord,
  VersionRecord,
} from "./records.ts";
export {
  OVERLAP_POLICIES,
  type OverlapPolicy,
  scheduleFields,
  ScheduleRecord,
  ScheduleState,
} from "./schedule.ts";
export { RoleList, USER_STATES, userFields, UserRecord, type UserState } from "./user.ts";
export { createParser, type Parser, type ValidationIssue } from "./validate.ts";
export {
  BoundSecret,
  Capabilities,
  RetryPolicy,
  SecretGrant,
  VersionAuthz,
  VersionConfig,
  VersionConfigInput,
} from "./version-config.ts";
