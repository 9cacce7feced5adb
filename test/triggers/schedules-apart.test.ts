import { rolesOnAll } from "../support/deployments.ts";
import { describeSchedules } from "./describe-schedules.ts";

describeSchedules(rolesOnAll);
