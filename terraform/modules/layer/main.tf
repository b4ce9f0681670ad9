# One release for one architecture in the provider's region.

locals {
  name = "backstop-extension-${var.architecture}-${replace(var.release, ".", "-")}"

  sha256 = lower(var.package.sha256 != null ? var.package.sha256 : filesha256(var.package.path))
  # Lambda tells checksums in base64, and no function turns hexadecimal into that: three digits are 12 bits,
  # which are two characters. Two digits are added to fill the last three, and make the last `A` a filler.
  base64_alphabet = split("", "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
  twelve_bits     = [for position in range(0, 66, 3) : parseint(substr("${local.sha256}00", position, 3), 16)]
  sha256_base64   = "${substr(join("", [for bits in local.twelve_bits : "${local.base64_alphabet[floor(bits / 64)]}${local.base64_alphabet[bits % 64]}"]), 0, 43)}="

  # Named by its content: the file is the right one, no matter which run fetched it.
  downloaded = "${path.root}/.terraform/backstop/${local.sha256}.zip"

  permissions = merge(
    { for account in var.share_with.accounts : "account-${account}" => { principal = account, organization_id = null } },
    { for organization in var.share_with.organization_id[*] : "organization-${organization}" => { principal = "*", organization_id = organization } },
    { for everybody in var.share_with.public ? ["public"] : [] : everybody => { principal = "*", organization_id = null } },
  )
}

# The provider publishes files and objects of S3 only.
resource "terraform_data" "download" {
  count = var.package.url != null ? 1 : 0

  # Whatever makes a new version needs the file, which another machine may not have.
  triggers_replace = [local.name, local.sha256, var.package.url, var.description]

  provisioner "local-exec" {
    command = "sh '${path.module}/download.sh'"
    environment = {
      BACKSTOP_URL    = var.package.url
      BACKSTOP_SHA256 = local.sha256
      BACKSTOP_FILE   = local.downloaded
    }
  }
}

resource "aws_lambda_layer_version" "this" {
  layer_name               = local.name
  description              = var.description
  license_info             = "Apache-2.0"
  compatible_architectures = [var.architecture]

  filename          = var.package.s3 != null ? null : var.package.path != null ? var.package.path : local.downloaded
  s3_bucket         = try(var.package.s3.bucket, null)
  s3_key            = try(var.package.s3.key, null)
  s3_object_version = try(var.package.s3.object_version, null)
  source_code_hash  = local.sha256_base64

  skip_destroy = var.retain

  lifecycle {
    # Functions move to the new version before the old one goes.
    create_before_destroy = true

    precondition {
      condition     = var.package.path == null ? true : filesha256(var.package.path) == local.sha256
      error_message = "The file at package.path has another checksum than package.sha256: use the file of that release, or correct the checksum."
    }
    postcondition {
      condition     = self.code_sha256 == local.sha256_base64
      error_message = "The checksum that Lambda stored is not package.sha256: the package refers to another release."
    }
  }

  depends_on = [terraform_data.download]
}

# Again on each version: permissions do not carry over.
#
# The provider reads back the first statement of a version's policy, whichever of several permissions it is
# asked for. So what it read is not compared, or there would be changes in every plan; and nothing is revoked by
# it, or it would be the wrong one. With the version its permissions go.
resource "aws_lambda_layer_version_permission" "this" {
  for_each = local.permissions

  layer_name      = aws_lambda_layer_version.this.layer_name
  version_number  = aws_lambda_layer_version.this.version
  statement_id    = each.key
  action          = "lambda:GetLayerVersion"
  principal       = each.value.principal
  organization_id = each.value.organization_id

  skip_destroy = true

  lifecycle {
    create_before_destroy = true
    ignore_changes        = [action, organization_id, principal, statement_id]
  }
}
