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
    /// Nothing stands against it.
    Ok,
    /// Another release of the layer is there.
    Outdated,
    /// Everything is there.
    Already,
    /// Nothing of ours is there.
    Absent,
    /// Five layers.
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
    /// Code signing.
    CodeSigningEnforced,
    /// KMS.
    EnvUnreadable,
    /// A deployment.
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
    pub fn explanation(self) -> &'static str {
        match self {
            Self::Ok => "Nothing stands against the change.",
            Self::Outdated => {
                "Another release of the layer, or other settings of ours, are there: they are replaced, in the \
                 same place of the list of layers."
            }
            Self::Already => {
                "The layer and the settings are there: neither is written. --grant, --publish-version and \
                 --move-alias do what is missing."
            }
            Self::Absent => {
                "Neither the layer nor a variable of ours is there: nothing is written."
            }
            Self::LayersFull => {
                "A function has at most five layers, and this one has them. Take one away or merge two of them; \
                 or, in a container image, put the extension into the image."
            }
            Self::EnvTooBig => {
                "The environment would be larger than the 4 KB that Lambda allows, measured as JSON. Move large \
                 values to Parameter Store, or set less: only what differs from the defaults has to be set."
            }
            Self::RequestTooBig => {
                "The request that changes the function would reach 5,120 bytes, which Lambda refuses: the \
                 variables and the layers' ARNs count together. Attach the layer first and the settings after \
                 it, or shorten values."
            }
            Self::SizeOver250Mb => {
                "Code and layers would be larger than 250 MB unpacked, which Lambda refuses. The sizes were read \
                 from the archives' own directories."
            }
            Self::Image => {
                "No layer can be added to a container image. Put the extension into it: \
                 `ADD extension-x86_64.tar.gz /opt/` in the Dockerfile, and the settings into its environment."
            }
            Self::EdgeReplica => {
                "A copy that Lambda@Edge made, which cannot be changed. Lambda@Edge knows no layers at all."
            }
            Self::CodeSigningEnforced => {
                "The function's code signing configuration enforces signatures, and the layer is not signed by a \
                 profile that it allows. Sign the layer with AWS Signer by one of its profiles and publish that, \
                 or add the layer's profile to the configuration."
            }
            Self::EnvUnreadable => {
                "The environment is encrypted with a key that the role may not use: what is there cannot be seen, \
                 and writing would wipe it. Grant kms:Decrypt on the key."
            }
            Self::UpdateInProgress => {
                "The function is being created or updated at this moment, by a deployment. Plan again when it is \
                 done."
            }
            Self::Inactive => {
                "Lambda has put the function to rest, as nobody has invoked it for weeks; a change wakes it. \
                 Give --include-inactive to change it."
            }
            Self::Failed => {
                "The function could not be created, or its last update failed. Mend that first: a deployment that \
                 works, or the role or network it names."
            }
            Self::ManagedByCfn => {
                "The function belongs to a CloudFormation stack (SAM and CDK too): the next deployment may revert \
                 what is changed here, and the stack drifts. Attach it in the template: CDK with the library of \
                 Backstop, SAM and CloudFormation by adding the layer's ARN to Layers and the variables to \
                 Environment. Give --include-managed to change it all the same."
            }
            Self::ManagedByTerraform => {
                "The function's tags say that Terraform manages it: the next apply would revert what is changed \
                 here. Use the module `attachment` there. Give --include-managed to change it all the same."
            }
            Self::ArchUnsupported => {
                "There is no layer for the function's architecture among those given. Publish both: \
                 `backstop layer publish`."
            }
            Self::LayerUnavailable => {
                "A layer version does not exist in the function's region, or is not shared with its account: \
                 Lambda refuses a list of layers with it. The detail names it. Where it is the layer to attach, \
                 publish it there, or share it: `backstop layer publish --share`. Where it is another layer of the \
                 function, take it out of the function's list, or ask its owner to share it again."
            }
            Self::RuntimeTooOld => {
                "The runtime is built on Amazon Linux 1, whose C library is older than the extension can use. Move \
                 the function to a runtime on Amazon Linux 2 or 2023; AWS no longer supports the other."
            }
            Self::OtherTelemetryExtension => {
                "Another vendor's telemetry extension is attached: both would send, and both would cost. Detach it, \
                 or give --beside-others to have both for a while."
            }
            Self::Unreadable => "The function could not be read; the detail says why.",
            Self::RoleNotWritable => {
                "What the fallbacks need was to be granted, and the policy of the execution role cannot be read or \
                 written: the caller lacks iam:GetRolePolicy or iam:PutRolePolicy on it, a permissions guard \
                 stands against it, or the role is a service's own. Grant it another way, and attach without \
                 --grant."
            }
            Self::ChangedSince => {
                "Someone attached another release, took the layer off, or set variables otherwise since. The layer and \
                 its settings are one decision, so nothing is put back. The detail says what changed. To take the \
                 layer and its settings off whoever put them there, run `backstop detach`."
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
            format!("`{code}` is no reason; there are {}", codes.join(", "))
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
