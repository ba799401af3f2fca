//! Provider metadata (OpenID Connect Discovery 1.0, section 3; RFC 8414).

use keys::Algorithm;
use openidconnect::{
    AdditionalProviderMetadata, AuthUrl, AuthenticationContextClass, EndSessionUrl, IssuerUrl,
    JsonWebKeySetUrl, LanguageTag, LogoutProviderMetadata, ProviderMetadata, ResponseTypes, Scope,
    TokenUrl, UserInfoUrl,
    core::{
        CoreAuthDisplay, CoreClaimName, CoreClaimType, CoreClientAuthMethod, CoreGrantType,
        CoreJsonWebKey, CoreJweContentEncryptionAlgorithm, CoreJweKeyManagementAlgorithm,
        CoreJwsSigningAlgorithm, CoreResponseMode, CoreResponseType, CoreSubjectIdentifierType,
    },
};
use serde::{Deserialize, Serialize};

use crate::{
    Result, claims,
    client::{AuthMethod, GrantType, ResponseType, SubjectType},
    sign_in::Assurance,
    token::GRANT_TYPES,
};

/// Members of RFC 7636, RFC 9207 and Core that the library's type does not have.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[expect(clippy::struct_field_names, reason = "the members of the document are called so")]
struct ExtraMetadata {
    code_challenge_methods_supported: Vec<String>,
    authorization_response_iss_parameter_supported: bool,
    prompt_values_supported: Vec<String>,
}

impl AdditionalProviderMetadata for ExtraMetadata {}

type Metadata = ProviderMetadata<
    LogoutProviderMetadata<ExtraMetadata>,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;

/// Paths of the protocol, as in the metadata and in the route table.
pub mod path {
    /// Authorization endpoint.
    pub const AUTHORIZE: &str = "/oauth2/authorize";
    /// Token endpoint.
    pub const TOKEN: &str = "/oauth2/token";
    /// Userinfo endpoint.
    pub const USERINFO: &str = "/oauth2/userinfo";
    /// JWK Set.
    pub const JWKS: &str = "/oauth2/jwks";
    /// Logout.
    pub const LOGOUT: &str = "/oauth2/logout";
}

/// The metadata document, as JSON.
///
/// `languages` are the tags (BCP 47) of the languages of our pages.
pub fn metadata(issuer: &str, languages: &[&str]) -> Result<String> {
    let at = |path: &str| format!("{issuer}{path}");
    let more = ExtraMetadata {
        code_challenge_methods_supported: vec!["S256".to_owned()],
        authorization_response_iss_parameter_supported: true,
        prompt_values_supported: ["none", "login", "consent", "select_account"]
            .map(str::to_owned)
            .to_vec(),
    };
    let logout = LogoutProviderMetadata {
        end_session_endpoint: EndSessionUrl::new(at(path::LOGOUT)).ok(),
        additional_metadata: more,
    };
    let bad = |error: openidconnect::url::ParseError| {
        <serde_json::Error as serde::ser::Error>::custom(format!("issuer {issuer}: {error}"))
    };
    let metadata: Metadata = ProviderMetadata::new(
        IssuerUrl::new(issuer.to_owned()).map_err(bad)?,
        AuthUrl::new(at(path::AUTHORIZE)).map_err(bad)?,
        JsonWebKeySetUrl::new(at(path::JWKS)).map_err(bad)?,
        map_all(ResponseType::ALL, response_type),
        map_all(SubjectType::ALL, subject_type),
        map_all(&Algorithm::ALL, jws),
        logout,
    )
    .set_token_endpoint(Some(TokenUrl::new(at(path::TOKEN)).map_err(bad)?))
    .set_userinfo_endpoint(Some(UserInfoUrl::new(at(path::USERINFO)).map_err(bad)?));
    let languages = languages.iter().map(|tag| LanguageTag::new((*tag).to_owned())).collect();
    let metadata = metadata.set_ui_locales_supported(Some(languages));
    Ok(serde_json::to_string(&with_optional_members(metadata))?)
}

/// The metadata announces what a client may register: the same lists, under the library's names.
fn map_all<T: Copy, U>(values: &[T], named: fn(T) -> U) -> Vec<U> {
    values.iter().copied().map(named).collect()
}

fn response_type(value: ResponseType) -> ResponseTypes<CoreResponseType> {
    match value {
        ResponseType::Code => ResponseTypes::new(vec![CoreResponseType::Code]),
    }
}

const fn subject_type(value: SubjectType) -> CoreSubjectIdentifierType {
    match value {
        SubjectType::Public => CoreSubjectIdentifierType::Public,
        SubjectType::Pairwise => CoreSubjectIdentifierType::Pairwise,
    }
}

const fn auth_method(value: AuthMethod) -> CoreClientAuthMethod {
    match value {
        AuthMethod::Basic => CoreClientAuthMethod::ClientSecretBasic,
        AuthMethod::Post => CoreClientAuthMethod::ClientSecretPost,
        AuthMethod::None => CoreClientAuthMethod::None,
    }
}

const fn grant_type(value: GrantType) -> CoreGrantType {
    match value {
        GrantType::AuthorizationCode => CoreGrantType::AuthorizationCode,
    }
}

const fn jws(algorithm: Algorithm) -> CoreJwsSigningAlgorithm {
    match algorithm {
        Algorithm::RS256 => CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
        Algorithm::ES256 => CoreJwsSigningAlgorithm::EcdsaP256Sha256,
        Algorithm::EdDSA => CoreJwsSigningAlgorithm::EdDsa,
    }
}

fn with_optional_members(metadata: Metadata) -> Metadata {
    let grant_types = GRANT_TYPES.iter().map(|known| grant_type(known.name)).collect();
    let scopes = claims::SCOPES.map(|scope| Scope::new(scope.to_owned())).to_vec();
    let acr =
        Assurance::SUPPORTED.map(|acr| AuthenticationContextClass::new(acr.to_owned())).to_vec();
    metadata
        .set_scopes_supported(Some(scopes))
        .set_response_modes_supported(Some(vec![CoreResponseMode::Query]))
        .set_grant_types_supported(Some(grant_types))
        .set_acr_values_supported(Some(acr))
        .set_token_endpoint_auth_methods_supported(Some(map_all(AuthMethod::ALL, auth_method)))
        .set_claims_supported(Some(claims::supported()))
        .set_claims_parameter_supported(Some(false))
        .set_request_parameter_supported(Some(false))
        .set_request_uri_parameter_supported(Some(false))
}
