import { rolesOnAll } from "../support/deployments.ts";
import { describeDeployment } from "./describe-deployment.ts";

describeDeployment(rolesOnAll);
