import { embedded } from "../support/deployments.ts";
import { describeDeployment } from "./describe-deployment.ts";

describeDeployment(embedded);
