# One release for one architecture in many regions, from one provider.

locals {
  name          = "backstop-extension-${var.architecture}-${replace(var.release, ".", "-")}"
  sha256        = filesha256(var.package.path)
  sha256_base64 = filebase64sha256(var.package.path)

  principals = merge(
    { for account in var.share_with.accounts : "account-${account}" => { principal = account, organization_id = null } },
    { for organization in var.share_with.organization_id[*] : "organization-${organization}" => { principal = "*", organization_id = organization } },
    { for everybody in var.share_with.public ? ["public"] : [] : everybody => { principal = "*", organization_id = null } },
  )
  permissions = merge([
    for region in var.regions : {
      for statement_id, principal in local.principals : "${region}/${statement_id}" => merge(principal, { region = region, statement_id = statement_id })
    }
  ]...)
}

resource "aws_lambda_layer_version" "this" {
  for_each = var.regions

  region                   = each.value
  layer_name               = local.name
  description              = var.description
  license_info             = "Apache-2.0"
  compatible_architectures = [var.architecture]
  filename                 = var.package.path
  source_code_hash         = local.sha256_base64

  skip_destroy = var.retain

  lifecycle {
    # Functions move to the new version before the old one goes.
    create_before_destroy = true

    precondition {
      condition     = lower(coalesce(var.package.sha256, local.sha256)) == local.sha256
      error_message = "The file at package.path has another checksum than package.sha256: use the file of that release, or correct the checksum."
    }
  }
}

# Again on each version: permissions do not carry over.
#
# The provider reads back the first statement of a version's policy, whichever of several permissions it is
# asked for. So what it read is not compared, or there would be changes in every plan; and nothing is revoked by
# it, or it would be the wrong one. With the version its permissions go.
resource "aws_lambda_layer_version_permission" "this" {
  for_each = local.permissions

  region          = each.value.region
  layer_name      = aws_lambda_layer_version.this[each.value.region].layer_name
  version_number  = aws_lambda_layer_version.this[each.value.region].version
  statement_id    = each.value.statement_id
  action          = "lambda:GetLayerVersion"
  principal       = each.value.principal
  organization_id = each.value.organization_id

  skip_destroy = true

  lifecycle {
    create_before_destroy = true
    ignore_changes        = [action, organization_id, principal, statement_id]
  }
}
