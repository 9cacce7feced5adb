export {
  BOOTSTRAP_GLOBAL,
  HOST_OPERATIONS,
  type GuestApi,
  type GuestHost,
  type HostOperation,
} from "./abi.ts";
