import { embedded } from "../support/deployments.ts";
import { describeSchedules } from "./describe-schedules.ts";

describeSchedules(embedded);
