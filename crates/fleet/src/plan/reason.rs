//! Why a function is changed, or is not.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a plan makes of a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// It will be changed.
    Change,
    /// It is as it should be.
    Same,
    /// It will not be touched.
    Refused,
}

/// The one reason of a verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "&'static str")]
pub enum Reason {
    /// Nothing prevents the change.
    Ok,
    /// Another release of the layer is there.
    Outdated,
    /// Everything is there.
    Already,
    /// The function has neither layer nor settings.
    Absent,
    LayersFull,
    /// 4 KB of environment.
    EnvTooBig,
    /// 5,120 bytes of request.
    RequestTooBig,
    /// 250 MB unpacked.
    SizeOver250Mb,
    /// A container image.
    Image,
    /// A copy for Lambda@Edge.
    EdgeReplica,
    CodeSigningEnforced,
    EnvUnreadable,
    UpdateInProgress,
    /// It has not been invoked for weeks.
    Inactive,
    /// It could not be created, or its last update failed.
    Failed,
    /// `CloudFormation`, SAM, CDK.
    ManagedByCfn,
    /// Terraform or `OpenTofu`.
    ManagedByTerraform,
    /// No layer for the architecture.
    ArchUnsupported,
    /// The layer is not there.
    LayerUnavailable,
    /// Amazon Linux 1.
    RuntimeTooOld,
    /// Another vendor's extension.
    OtherTelemetryExtension,
    /// It could not be asked.
    Unreadable,
    /// What the fallbacks need cannot be granted.
    RoleNotWritable,
    /// Nothing of it can be undone without undoing someone else's change.
    ChangedSince,
}

impl Reason {
    /// All of them, in the order in which they are explained.
    pub const ALL: [Self; 24] = [
        Self::Ok,
        Self::Outdated,
        Self::Already,
        Self::Absent,
        Self::LayersFull,
        Self::EnvTooBig,
        Self::RequestTooBig,
        Self::SizeOver250Mb,
        Self::Image,
        Self::EdgeReplica,
        Self::CodeSigningEnforced,
        Self::EnvUnreadable,
        Self::UpdateInProgress,
        Self::Inactive,
        Self::Failed,
        Self::ManagedByCfn,
        Self::ManagedByTerraform,
        Self::ArchUnsupported,
        Self::LayerUnavailable,
        Self::RuntimeTooOld,
        Self::OtherTelemetryExtension,
        Self::Unreadable,
        Self::RoleNotWritable,
        Self::ChangedSince,
    ];

    /// What it means for the function.
    pub fn verdict(self) -> Verdict {
        match self {
            Self::Ok | Self::Outdated => Verdict::Change,
            Self::Already | Self::Absent => Verdict::Same,
            _ => Verdict::Refused,
        }
    }

    /// As it is written in plans and asked for with `--explain`.
    pub fn code(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Outdated => "outdated",
            Self::Already => "already",
            Self::Absent => "absent",
            Self::LayersFull => "layers-full",
            Self::EnvTooBig => "env-too-big",
            Self::RequestTooBig => "request-too-big",
            Self::SizeOver250Mb => "size-over-250mb",
            Self::Image => "image",
            Self::EdgeReplica => "edge-replica",
            Self::CodeSigningEnforced => "code-signing-enforced",
            Self::EnvUnreadable => "env-unreadable",
            Self::UpdateInProgress => "update-in-progress",
            Self::Inactive => "inactive",
            Self::Failed => "failed",
            Self::ManagedByCfn => "managed-by-cfn",
            Self::ManagedByTerraform => "managed-by-terraform",
            Self::ArchUnsupported => "arch-unsupported",
            Self::LayerUnavailable => "layer-unavailable",
            Self::RuntimeTooOld => "runtime-too-old",
            Self::OtherTelemetryExtension => "other-telemetry-extension",
            Self::Unreadable => "unreadable",
            Self::RoleNotWritable => "role-not-writable",
            Self::ChangedSince => "changed-since",
        }
    }

    /// What it means, and what can be done about it.
    #[expect(
        clippy::too_many_lines,
        reason = "one text for each reason, and nothing else"
    )]
    pub fn explanation(self) -> &'static str {
        match self {
            Self::Ok => "Nothing prevents the change.",
            Self::Outdated => {
                "The function has another release of the layer, or other Backstop settings. The \
                 plan replaces them and keeps the layer's position in the list."
            }
            Self::Already => {
                "The function already has the layer and the settings; neither is written. --grant, \
                 --publish-version and --move-alias still apply."
            }
            Self::Absent => {
                "The function has neither the layer nor a Backstop variable; nothing is written."
            }
            Self::LayersFull => {
                "The function already has five layers, the most that Lambda allows. Remove one or \
                 merge two of them; or use a container image with the extension in it."
            }
            Self::EnvTooBig => {
                "The environment would exceed the 4 KB that Lambda allows, measured as JSON. Move \
                 large values to Parameter Store, or set fewer variables: set only those that \
                 differ from the defaults."
            }
            Self::RequestTooBig => {
                "The request that changes the function would reach 5,120 bytes, which Lambda \
                 refuses. Variables and layer ARNs count together. Attach the layer first and the \
                 settings in a second step, or shorten values."
            }
            Self::SizeOver250Mb => {
                "Code and layers would exceed 250 MB unpacked, which Lambda refuses. Backstop read \
                 the sizes from the archives' directories. Make the code or a layer smaller."
            }
            Self::Image => {
                "A container image takes no layers. Add the extension to the image with `ADD \
                 extension-x86_64.tar.gz /opt/` in the Dockerfile, and set the variables in its \
                 environment."
            }
            Self::EdgeReplica => {
                "A replica that Lambda@Edge made; you cannot change it. Lambda@Edge does not \
                 support layers."
            }
            Self::CodeSigningEnforced => {
                "The function's code signing configuration enforces signatures, and no profile \
                 that it allows signed the layer. Sign the layer with AWS Signer and an allowed \
                 profile and publish the result, or add the layer's profile to the configuration."
            }
            Self::EnvUnreadable => {
                "A key that the caller may not use encrypts the environment. Backstop cannot read \
                 it, and writing would erase it. Grant kms:Decrypt on the key."
            }
            Self::UpdateInProgress => {
                "A deployment is creating or updating the function. Plan again when it has \
                 finished."
            }
            Self::Inactive => {
                "The function is in state Inactive: nobody has invoked it for weeks. A change \
                 activates it. Give --include-inactive to include it."
            }
            Self::Failed => {
                "The function could not be created, or its last update failed. Fix the deployment, \
                 or the role or network that it names, and plan again."
            }
            Self::ManagedByCfn => {
                "A CloudFormation stack (also SAM and CDK) manages the function: the next \
                 deployment may revert the change, and the stack drifts. Attach in the template \
                 instead: use Backstop's CDK library, or add the layer's ARN to Layers and the \
                 variables to Environment. Give --include-managed to change the function anyway."
            }
            Self::ManagedByTerraform => {
                "The function's tags say that Terraform manages it: the next apply would revert \
                 the change. Use the Terraform module `attachment` instead. Give --include-managed \
                 to change the function anyway."
            }
            Self::ArchUnsupported => {
                "None of the given layers fits the function's architecture and region. Publish the \
                 layer there with `backstop layer publish`."
            }
            Self::LayerUnavailable => {
                "A layer version does not exist in the function's region, or is not shared with \
                 its account, so Lambda refuses the list of layers. The detail names the version. \
                 If it is the layer to attach, publish it there or share it: `backstop layer \
                 publish --share`. If it is another layer of the function, remove it from the \
                 function, or ask its owner to share it again."
            }
            Self::RuntimeTooOld => {
                "The runtime uses Amazon Linux 1, whose C library is too old for the extension, \
                 and which AWS no longer supports. Move the function to a runtime on Amazon Linux \
                 2 or 2023."
            }
            Self::OtherTelemetryExtension => {
                "Another vendor's telemetry extension is attached. Both would send, and you would \
                 pay for both. Detach it, or give --beside-others to run both."
            }
            Self::Unreadable => {
                "Backstop could not read the function. The detail says why; fix that, and plan \
                 again."
            }
            Self::RoleNotWritable => {
                "--grant could not read or write the policy of the execution role. The caller \
                 lacks iam:GetRolePolicy or iam:PutRolePolicy on it, an organization policy or \
                 permissions boundary denies it, or the role is service-linked. Grant the \
                 permissions another way, and attach without --grant."
            }
            Self::ChangedSince => {
                "The configuration that undo would restore has changed since: someone attached \
                 another release, removed the layer, or changed variables. Backstop restores the \
                 layer and its settings together or not at all, so the function was left \
                 unchanged. The detail says what changed. To remove the layer and its settings \
                 anyway, run `backstop detach`."
            }
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.code())
    }
}

impl std::str::FromStr for Reason {
    type Err = String;

    fn from_str(code: &str) -> Result<Self, Self::Err> {
        let known = || Self::ALL.into_iter();
        known().find(|reason| reason.code() == code).ok_or_else(|| {
            let codes: Vec<&str> = known().map(Self::code).collect();
            format!(
                "`{code}` is not a reason code; the codes are {}",
                codes.join(", ")
            )
        })
    }
}

impl TryFrom<String> for Reason {
    type Error = String;

    fn try_from(code: String) -> Result<Self, Self::Error> {
        code.parse()
    }
}

impl From<Reason> for &'static str {
    fn from(reason: Reason) -> Self {
        reason.code()
    }
}
