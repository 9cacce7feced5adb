export {
  BOOTSTRAP_GLOBAL,
  GUEST_CALLBACKS,
  HOST_OPERATIONS,
  type GuestApi,
  type GuestHost,
  type HostOperation,
} from "./abi.ts";
export { WARM_UP_CONTEXT_JSON, WARM_UP_EVENT_JSON, WARM_UP_MODULE } from "./warm-up.ts";
