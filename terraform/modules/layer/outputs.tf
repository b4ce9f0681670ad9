output "arn" {
  description = "The ARN of the layer version, for the module `attachment`."
  value       = aws_lambda_layer_version.this.arn
}

output "version" {
  description = "The number of the version. It differs between regions; the release in the name does not."
  value       = tonumber(aws_lambda_layer_version.this.version)
}

output "sha256" {
  description = "The checksum of the zip, in hexadecimal."
  value       = local.sha256
}

output "name" {
  description = "The name of the layer, `backstop-extension-ARCHITECTURE-MAJOR-MINOR-PATCH`."
  value       = local.name
}

output "backstop_layers" {
  description = "The version in the form of the manifest that `backstop layer publish` writes, for the module `layer-lookup`: account, region, architecture."
  value = {
    (split(":", aws_lambda_layer_version.this.arn)[4]) = {
      (split(":", aws_lambda_layer_version.this.arn)[3]) = {
        (var.architecture) = {
          arn     = aws_lambda_layer_version.this.arn
          version = tonumber(aws_lambda_layer_version.this.version)
          sha256  = local.sha256
        }
      }
    }
  }
}
