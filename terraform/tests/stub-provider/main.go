// The schema of the few resources of the AWS provider, version 6, that modules/layer-multi-region uses. It stands
// in for that provider where it cannot be had: Terraform checks the module's arguments against it, and mocks make
// up the rest. It shows that the module is well-formed and what it plans; what AWS makes of that it cannot show.
//
// Must not: create anything. What Terraform does not ask of a mocked provider is not there: asked for it, this
// process ends, and the test with it.
package main

import (
	"context"
	"log"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6/tf6server"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

type presence int

const (
	required presence = iota
	optional
	computed
	optionalComputed
)

func attribute(name string, kind tftypes.Type, is presence) *tfprotov6.SchemaAttribute {
	return &tfprotov6.SchemaAttribute{
		Name:     name,
		Type:     kind,
		Required: is == required,
		Optional: is == optional || is == optionalComputed,
		Computed: is == computed || is == optionalComputed,
	}
}

func schema(attributes ...*tfprotov6.SchemaAttribute) *tfprotov6.Schema {
	return &tfprotov6.Schema{Block: &tfprotov6.SchemaBlock{Attributes: attributes}}
}

var (
	text    = tftypes.String
	texts   = tftypes.Set{ElementType: tftypes.String}
	schemas = map[string]*tfprotov6.Schema{
		"aws_lambda_layer_version": schema(
			attribute("arn", text, computed),
			attribute("code_sha256", text, computed),
			attribute("compatible_architectures", texts, optional),
			attribute("compatible_runtimes", texts, optional),
			attribute("created_date", text, computed),
			attribute("description", text, optional),
			attribute("filename", text, optional),
			attribute("id", text, optionalComputed),
			attribute("layer_arn", text, computed),
			attribute("layer_name", text, required),
			attribute("license_info", text, optional),
			attribute("region", text, optionalComputed),
			attribute("s3_bucket", text, optional),
			attribute("s3_key", text, optional),
			attribute("s3_object_version", text, optional),
			attribute("signing_job_arn", text, computed),
			attribute("signing_profile_version_arn", text, computed),
			attribute("skip_destroy", tftypes.Bool, optional),
			attribute("source_code_hash", text, optionalComputed),
			attribute("source_code_size", tftypes.Number, computed),
			attribute("version", text, computed),
		),
		"aws_lambda_layer_version_permission": schema(
			attribute("action", text, required),
			attribute("id", text, optionalComputed),
			attribute("layer_name", text, required),
			attribute("organization_id", text, optional),
			attribute("policy", text, computed),
			attribute("principal", text, required),
			attribute("region", text, optionalComputed),
			attribute("revision_id", text, computed),
			attribute("skip_destroy", tftypes.Bool, optional),
			attribute("statement_id", text, required),
			attribute("version_number", tftypes.Number, required),
		),
	}
)

// The interface is embedded for the methods that nobody calls.
type provider struct {
	tfprotov6.ProviderServer
}

func (provider) GetProviderSchema(context.Context, *tfprotov6.GetProviderSchemaRequest) (*tfprotov6.GetProviderSchemaResponse, error) {
	return &tfprotov6.GetProviderSchemaResponse{
		Provider:        schema(attribute("region", text, optional)),
		ResourceSchemas: schemas,
	}, nil
}

func (provider) GetResourceIdentitySchemas(context.Context, *tfprotov6.GetResourceIdentitySchemasRequest) (*tfprotov6.GetResourceIdentitySchemasResponse, error) {
	return &tfprotov6.GetResourceIdentitySchemasResponse{}, nil
}

func (provider) ValidateProviderConfig(_ context.Context, request *tfprotov6.ValidateProviderConfigRequest) (*tfprotov6.ValidateProviderConfigResponse, error) {
	return &tfprotov6.ValidateProviderConfigResponse{PreparedConfig: request.Config}, nil
}

// Names and types of arguments Terraform itself has checked against the schema by now.
func (provider) ValidateResourceConfig(context.Context, *tfprotov6.ValidateResourceConfigRequest) (*tfprotov6.ValidateResourceConfigResponse, error) {
	return &tfprotov6.ValidateResourceConfigResponse{}, nil
}

// A mock's own state comes back as it is.
func (provider) UpgradeResourceState(_ context.Context, request *tfprotov6.UpgradeResourceStateRequest) (*tfprotov6.UpgradeResourceStateResponse, error) {
	kind := schemas[request.TypeName].ValueType()
	state, err := request.RawState.Unmarshal(kind)
	if err != nil {
		return nil, err
	}
	upgraded, err := tfprotov6.NewDynamicValue(kind, state)
	return &tfprotov6.UpgradeResourceStateResponse{UpgradedState: &upgraded}, err
}

func (provider) StopProvider(context.Context, *tfprotov6.StopProviderRequest) (*tfprotov6.StopProviderResponse, error) {
	return &tfprotov6.StopProviderResponse{}, nil
}

func main() {
	serve := func() tfprotov6.ProviderServer { return provider{} }
	if err := tf6server.Serve("hashicorp/aws", serve); err != nil {
		log.Fatal(err)
	}
}
