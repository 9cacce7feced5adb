export {
  BOOTSTRAP_GLOBAL,
  GUEST_CALLBACKS,
  HOST_OPERATIONS,
  type GuestApi,
  type GuestHost,
  type HostOperation,
} from "./abi.ts";
