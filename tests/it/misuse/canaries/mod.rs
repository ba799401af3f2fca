//! Misuse case 57 against the program itself: every secret is searched for in all output of `serve` at its most verbose
//! level, on every path and with every server unavailable, and in the output of the commands.

mod canary_serve;
mod secrets;

use reqwest::Method;
use vestibule_tests::{
    client::{Client, PendingRequest},
    db::Engine,
    http::{HttpBrowser, Response},
    mail_server::MailFault,
    wait,
};

use canary_serve::{CanaryServe, NEW_PASSWORD, PASSWORD, TYPED_PASSWORD};

use crate::engines::{apply, both_engines};

impl CanaryServe {
    /// Opens the sign-in page of `client` and posts the person's password.
    async fn sign_in_to_code_page(
        &self,
        browser: &HttpBrowser,
        client: &Client,
    ) -> (Response, PendingRequest) {
        let (page, pending) = browser.open_sign_in_page(client).await;
        self.collect_secrets(browser, &page);
        self.secrets.add("PKCE verifier", &pending.verifier);
        let form = page.form().with("email", &self.email).with("password", PASSWORD);
        let page = browser.follow(browser.post(&form, "continue").await).await;
        self.collect_secrets(browser, &page);
        (page, pending)
    }

    /// The latest mailed code, once so many were mailed.
    async fn wait_for_code(&self, count: usize) -> String {
        let code = self.served.mail.wait_for_code(&self.email, count).await;
        self.secrets.add("e-mail code", &code);
        code
    }

    /// A sign-in with every mistake on its way, then one from a known device with consent.
    async fn run_sign_ins(&self) {
        let browser = self.browser();
        let (page, _) = browser.open_sign_in_page(&self.portal).await;
        let form = page.form().with("email", &self.email).with("password", TYPED_PASSWORD);
        browser.post(&form, "continue").await;
        let (page, pending) = self.sign_in_to_code_page(&browser, &self.portal).await;
        let code = self.wait_for_code(1).await;
        browser.post(&page.form().with("code", canary_serve::other(&code)), "continue").await;
        let answer = browser.submit_code(&page, &code).await;
        self.collect_secrets(&browser, &answer);
        let tokens =
            self.redeem_code(&browser, &self.portal, &answer.authorization_response(pending)).await;
        self.send_misplaced_secrets(&browser, &page, &tokens).await;
        let id_token = tokens["id_token"].as_str().expect("a token");
        browser.get(format!("/oauth2/logout?id_token_hint={id_token}&state=x")).await;
        let (page, pending) = self.sign_in_to_code_page(&browser, &self.lab).await;
        let code = self.wait_for_code(2).await;
        let page = browser.submit_code(&page, &code).await;
        self.collect_secrets(&browser, &page);
        let answer = browser.post(&page.form(), "allow").await;
        self.collect_secrets(&browser, &answer);
        self.redeem_code(&browser, &self.lab, &answer.authorization_response(pending)).await;
    }

    /// Redeems a code: with a wrong secret, correctly, and once more.
    async fn redeem_code(
        &self,
        browser: &HttpBrowser,
        client: &Client,
        landed: &vestibule_tests::client::AuthorizationResponse,
    ) -> serde_json::Value {
        self.secrets.add("authorization code", &landed.code());
        let typed = "client-secret-canary-of-a-thief";
        self.secrets.add("typed client secret", typed);
        let thief = Client { secret: Some(typed.to_owned()), ..client.clone() };
        assert_eq!(thief.redeem_at(browser, landed).await.status, 401);
        let tokens = client.redeem_at(browser, landed).await.json();
        for name in ["id_token", "access_token"] {
            self.secrets.add_token(name, tokens[name].as_str().expect("a token"));
        }
        let bearer = format!("Bearer {}", tokens["access_token"].as_str().expect("a token"));
        let claims = [("authorization", bearer.as_str())];
        let answer = browser.send(Method::GET, "/oauth2/userinfo", &claims, None).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(client.redeem_at(browser, landed).await.status, 400);
        tokens
    }

    /// Sends secrets where they do not belong: in paths, queries, headers and unused fields.
    async fn send_misplaced_secrets(
        &self,
        browser: &HttpBrowser,
        page: &Response,
        tokens: &serde_json::Value,
    ) {
        let access = tokens["access_token"].as_str().expect("a token");
        let attempt = page.form().value("attempt").to_owned();
        for to in [
            format!("/oauth2/userinfo?access_token={access}"),
            format!("/login/code?attempt={attempt}&code={access}"),
            format!("/{access}"),
            format!("/assets/{access}"),
            format!("/oauth2/authorize?client_id=portal&request={access}"),
        ] {
            browser.get(to).await;
        }
        let basic = format!("Basic {access}");
        let headers = [("authorization", basic.as_str())];
        let fields = [("code", access), ("grant_type", access), ("client_assertion", access)];
        let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned()));
        browser.send(Method::POST, "/oauth2/token", &headers, Some(&fields)).await;
        browser.send(Method::POST, "/login/code", &headers, Some(&fields)).await;
    }

    /// A forced reset, a refused new password, and an accepted one.
    async fn run_reset(&self) {
        self.run_command(&["user", "reset", &self.email, "--reason", "somebody called"]).await;
        let browser = self.browser();
        let (page, pending) = self.sign_in_to_code_page(&browser, &self.portal).await;
        let code = self.wait_for_code(3).await;
        let page = browser.submit_code(&page, &code).await;
        for typed in [PASSWORD, NEW_PASSWORD] {
            let form = page.form().with("new_password", typed);
            let answer = browser.follow(browser.post(&form, "continue").await).await;
            self.collect_secrets(&browser, &answer);
            if typed == NEW_PASSWORD {
                answer.authorization_response(pending.clone()).code();
            }
        }
    }

    /// The mail server refuses temporarily, refuses permanently, and disconnects.
    async fn run_mail_failures(&self) {
        let mail = &self.served.mail;
        for fault in [MailFault::Refuse(451), MailFault::CloseInData, MailFault::Refuse(550)] {
            let before = mail.refused_recipients();
            mail.inject_fault(fault, 1);
            let browser = self.browser();
            let (page, _) = browser.open_sign_in_page(&self.portal).await;
            let form = page.form().with("email", &self.other_email).with("password", PASSWORD);
            browser.follow(browser.post(&form, "continue").await).await;
            if let MailFault::Refuse(_) = fault {
                mail.wait_for_refusals(before + 1).await;
            }
        }
        self.until_logged("a mail was given up").await;
    }

    /// The responses to a page, a client and a bearer token while database and Redis are unavailable, and a start meanwhile.
    async fn run_outage(&self) {
        let browser = self.browser();
        let (page, _) = browser.open_sign_in_page(&self.portal).await;
        let form = page.form().with("email", &self.email).with("password", NEW_PASSWORD);
        self.switch_servers(false);
        let refused = browser.post(&form, "continue").await;
        assert_eq!(refused.status, 503, "{}", refused.text());
        let fields = [("grant_type", "authorization_code"), ("code", "an-unknown-code-canary")];
        let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned()));
        self.secrets.add("unknown code", "an-unknown-code-canary");
        let basic = self.portal_basic();
        let headers = [("authorization", basic.as_str())];
        browser.send(Method::POST, "/oauth2/token", &headers, Some(&fields)).await;
        self.run_failing_command(&["doctor"]).await;
        self.run_failing_command(&["serve"]).await;
        self.run_failing_command(&["key", "list"]).await;
        self.switch_servers(true);
        let served = async || {
            let (page, _) = browser.open_sign_in_page(&self.portal).await;
            let form = page.form().with("email", &self.email).with("password", NEW_PASSWORD);
            browser.post(&form, "continue").await.status != 503
        };
        wait::until("the database is back, and requests are served", served).await;
    }

    /// The commands of an operator, while all servers are available.
    async fn run_operator_commands(&self) {
        for args in [
            &["check-config"][..],
            &["doctor"],
            &["doctor", "--json"],
            &["key", "list"],
            &["key", "list", "--json"],
            &["key", "rotate", "--reason", "yearly"],
            &["key", "rotate", "--compromised", "--reason", "a lost backup", "--json"],
            &["key", "root"],
            &["key", "reseal", "--reason", "at once"],
            &["user", "show", &self.email],
            &["user", "show", &self.email, "--json"],
            &["client", "list", "--json"],
            &["client", "show", "portal"],
            &["setting", "get"],
            &["audit", "verify"],
            &["audit", "export"],
        ] {
            self.run_command(args).await;
        }
    }

    /// Configurations that cannot be parsed: the error must not contain the value of a secret.
    async fn run_bad_configurations(&self) {
        for (name, value) in [
            ("IDP__DATABASE__URL", "mysql://vestibule:canary-typo-4711@127.0.0.1/db"),
            ("IDP__DATABASE__URL", "postgres://vestibule:canary-typo-4711@127.0.0.1:port/db"),
            ("IDP__DATABASE__URL", "postgres://vestibule:canary-typo-4711 @127.0.0.1/db"),
            (
                "IDP__DATABASE__URL",
                "postgres://v:canary-typo-4711@127.0.0.1/db?sslmode=canary-typo-4711",
            ),
            ("IDP__EPHEMERAL__URL", "http://default:canary-typo-4711@127.0.0.1"),
            ("IDP__EPHEMERAL__URL", "redis://default:canary-typo-4711@127.0.0.1:port"),
            ("IDP__EPHEMERAL__URL", "redis://default:canary-typo-4711@127.0.0.1/database"),
            ("IDP__SMTP__PASWORD", "canary-typo-4711"),
            ("IDP__SMTP__PASSWORD_FILE", "/nowhere/smtp-password"),
            ("IDP__KEYS__ROOT_FILE", "canary=/nowhere/root.key"),
        ] {
            for command in ["check-config", "doctor", "serve"] {
                self.run_misconfigured(command, (name, value)).await;
            }
        }
    }
}

#[apply(both_engines)]
async fn case_57_program_output_has_no_secret(engine: Engine) {
    let mut site = CanaryServe::start(engine).await;
    site.run_sign_ins().await;
    site.run_reset().await;
    site.run_mail_failures().await;
    site.run_operator_commands().await;
    site.run_bad_configurations().await;
    if engine == Engine::Postgres {
        site.run_outage().await;
    }
    site.finish().await;
}
