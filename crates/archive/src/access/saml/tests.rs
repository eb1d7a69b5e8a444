//! Assertions of our own making, and what is tried with them.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};

use super::*;

const NOW: u64 = 1_800_000_000;
const ISSUER: &str = "https://idp.example/saml";
const AUDIENCE: &str = "urn:leadglass:archive";
const RECIPIENT: &str = "dicom://archive";

struct Issuer(EcdsaKeyPair);

impl Issuer {
    fn new() -> Issuer {
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
        Issuer(EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref()).unwrap())
    }

    fn keys(&self) -> Vec<PublicKey> {
        vec![PublicKey::P256(self.0.public_key().as_ref().to_vec())]
    }

    /// Signs what stands in the document, in the place of `{signature}`.
    fn sign(&self, assertion: &str) -> String {
        self.sign_as(assertion, |info| info)
    }

    fn sign_as(&self, assertion: &str, change: impl Fn(String) -> String) -> String {
        let bare = assertion.replace("{signature}", "");
        let tree = Tree::parse(bare.as_bytes()).unwrap();
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &canonical(&tree, Tree::ROOT, None));
        let id = tree.attribute(Tree::ROOT, "ID").unwrap();
        let info = change(format!(
            "<ds:SignedInfo xmlns:ds=\"{DSIG}\"><ds:CanonicalizationMethod Algorithm=\"{EXCLUSIVE}\"/>\
             <ds:SignatureMethod Algorithm=\"{ECDSA_SHA256}\"/><ds:Reference URI=\"#{id}\"><ds:Transforms>\
             <ds:Transform Algorithm=\"{ENVELOPED}\"/><ds:Transform Algorithm=\"{EXCLUSIVE}\"/></ds:Transforms>\
             <ds:DigestMethod Algorithm=\"{SHA256}\"/><ds:DigestValue>{}</ds:DigestValue></ds:Reference>\
             </ds:SignedInfo>",
            STANDARD.encode(digest)
        ));
        let message = canonical(&Tree::parse(info.as_bytes()).unwrap(), Tree::ROOT, None);
        let value = STANDARD.encode(self.0.sign(&SystemRandom::new(), &message).unwrap());
        let signature = format!(
            "<ds:Signature xmlns:ds=\"{DSIG}\">{info}<ds:SignatureValue>{value}</ds:SignatureValue></ds:Signature>"
        );
        assertion.replace("{signature}", &signature)
    }
}

fn stamp(offset: i64) -> String {
    let time = OffsetDateTime::from_unix_timestamp(NOW as i64 + offset).unwrap();
    time.format(&Rfc3339).unwrap()
}

fn assertion() -> String {
    format!(
        "<saml:Assertion xmlns:saml=\"{SAML}\" xmlns:xs=\"urn:unused\" ID=\"_a1\" Version=\"2.0\" IssueInstant=\"{}\">\
         <saml:Issuer>{ISSUER}</saml:Issuer>{{signature}}<saml:Subject><saml:NameID>ada</saml:NameID>\
         <saml:SubjectConfirmation Method=\"{BEARER}\"><saml:SubjectConfirmationData NotOnOrAfter=\"{}\" \
         Recipient=\"{RECIPIENT}\"/></saml:SubjectConfirmation></saml:Subject>\
         <saml:Conditions NotBefore=\"{}\" NotOnOrAfter=\"{}\"><saml:AudienceRestriction>\
         <saml:Audience>{AUDIENCE}</saml:Audience></saml:AudienceRestriction></saml:Conditions>\
         <saml:AuthnStatement AuthnInstant=\"{}\"/><saml:AttributeStatement><saml:Attribute Name=\"role\">\
         <saml:AttributeValue>radiologist &amp; head</saml:AttributeValue></saml:Attribute></saml:AttributeStatement>\
         </saml:Assertion>",
        stamp(-5),
        stamp(300),
        stamp(-5),
        stamp(300),
        stamp(-5)
    )
}

fn looked_at(document: &str, keys: &[PublicKey]) -> Result<Assertion, SamlError> {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(NOW);
    let expected = Expected { issuer: ISSUER, keys, audience: AUDIENCE, recipient: RECIPIENT, now };
    verify(document.as_bytes(), &expected)
}

#[test]
fn an_assertion_is_believed_and_read() {
    let issuer = Issuer::new();
    let signed = issuer.sign(&assertion());
    let read = looked_at(&signed, &issuer.keys()).unwrap();
    assert_eq!((read.subject.as_str(), read.id.as_str(), read.once), ("ada", "_a1", false));
    assert_eq!(read.attributes, [("role".to_owned(), vec!["radiologist & head".to_owned()])]);
    assert_eq!(read.expires, SystemTime::UNIX_EPOCH + Duration::from_secs(NOW + 360));
    assert_eq!(issuer_of(signed.as_bytes()).as_deref(), Ok(ISSUER));
    let with_declaration = format!("<?xml version='1.0' encoding='UTF-8'?>\n{signed}\n");
    looked_at(&with_declaration, &issuer.keys()).unwrap();
}

#[test]
fn canonical_bytes_are_those_of_the_recommendation() {
    let of = |text: &str| {
        let tree = Tree::parse(text.as_bytes()).unwrap();
        String::from_utf8(canonical(&tree, Tree::ROOT, None)).unwrap()
    };
    assert_eq!(of("<a  b='1'   a=\"2\"/>"), "<a a=\"2\" b=\"1\"></a>");
    assert_eq!(
        of("<n:a xmlns:n='u' xmlns:m='v'><b m:c='1' c='2'/></n:a>"),
        "<n:a xmlns:n=\"u\"><b xmlns:m=\"v\" c=\"2\" m:c=\"1\"></b></n:a>"
    );
    assert_eq!(of("<a xmlns='u'><b xmlns=''><c/></b></a>"), "<a xmlns=\"u\"><b xmlns=\"\"><c></c></b></a>");
    assert_eq!(of("<a>&lt;&#62;&amp;\r\n\"</a>"), "<a>&lt;&gt;&amp;\n\"</a>");
    assert_eq!(of("<a b='&quot;&lt;>'/>"), "<a b=\"&quot;&lt;>\"></a>");
    assert_eq!(
        of("<n:a xmlns:n='u'><n:b xmlns:n='u'/><n:c xmlns:n='w'/></n:a>"),
        "<n:a xmlns:n=\"u\"><n:b></n:b><n:c xmlns:n=\"w\"></n:c></n:a>"
    );
}

#[test]
fn forged_assertions_are_refused_each_for_its_reason() {
    let (issuer, other) = (Issuer::new(), Issuer::new());
    let plain = assertion();
    let signed = issuer.sign(&plain);
    let signature = signed.split("<ds:Signature ").nth(1).unwrap().split("</ds:Signature>").next().unwrap();
    let signature = format!("<ds:Signature {signature}</ds:Signature>");
    let evil = plain.replace("ada", "eve").replace("_a1", "_e1");
    let changed = |from: &str, to: &str| issuer.sign(&plain.replace(from, to));
    let info = |from: &'static str, to: &'static str| issuer.sign_as(&plain, |info| info.replace(from, to));
    let wrapped_inside = evil.replace("{signature}", &format!("{signature}<saml:Advice>{}</saml:Advice>", signed));
    let wrapped_outside = evil.replace("{signature}", &signed);
    let forged: Vec<(&str, String, SamlError)> = vec![
        ("unsigned", plain.replace("{signature}", ""), SamlError::Structure),
        ("another's key", other.sign(&plain), SamlError::Signature),
        ("changed name", signed.replace("ada", "eve"), SamlError::Digest),
        ("changed attribute", signed.replace("radiologist", "administrat"), SamlError::Digest),
        ("changed end", signed.replace(&stamp(300), &stamp(900)), SamlError::Digest),
        ("added element", signed.replace("</saml:Assertion>", "<saml:Advice/></saml:Assertion>"), SamlError::Digest),
        ("signature of another", evil.replace("{signature}", &signature), SamlError::Reference),
        ("same ID, other content", plain.replace("ada", "eve").replace("{signature}", &signature), SamlError::Digest),
        ("wrapped inside", wrapped_inside, SamlError::Structure),
        ("wrapped outside", wrapped_outside, SamlError::Structure),
        ("in a response", format!("<p:Response xmlns:p=\"x\">{signed}</p:Response>"), SamlError::Structure),
        ("signed twice", signed.replace(&signature, &format!("{signature}{signature}")), SamlError::Structure),
        (
            "signature deeper",
            plain.replace("{signature}", &format!("<saml:Advice>{signature}</saml:Advice>")),
            SamlError::Structure,
        ),
        ("ID twice", changed("<saml:NameID>", "<saml:NameID ID=\"_a1\">"), SamlError::Reference),
        ("Id in another spelling", changed("<saml:NameID>", "<saml:NameID Id=\"_a1\">"), SamlError::Reference),
        ("empty reference", info("URI=\"#_a1\"", "URI=\"\""), SamlError::Reference),
        ("no reference", info(" URI=\"#_a1\"", ""), SamlError::Reference),
        ("outside reference", info("URI=\"#_a1\"", "URI=\"file:///etc/passwd\""), SamlError::Reference),
        ("SHA-1 digest", info(SHA256, "http://www.w3.org/2000/09/xmldsig#sha1"), SamlError::Algorithm),
        (
            "SHA-1 signature",
            info(ECDSA_SHA256, "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha1"),
            SamlError::Algorithm,
        ),
        (
            "HMAC signature",
            info(ECDSA_SHA256, "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256"),
            SamlError::Algorithm,
        ),
        ("none", info(ECDSA_SHA256, ""), SamlError::Algorithm),
        (
            "inclusive canonicalization",
            info(EXCLUSIVE, "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"),
            SamlError::Algorithm,
        ),
        ("XSLT", info(ENVELOPED, "http://www.w3.org/TR/1999/REC-xslt-19991116"), SamlError::Algorithm),
        ("XPath", info(ENVELOPED, "http://www.w3.org/2002/06/xmldsig-filter2"), SamlError::Algorithm),
        (
            "no transform",
            info("<ds:Transform Algorithm=\"http://www.w3.org/2000/09/xmldsig#enveloped-signature\"/>", ""),
            SamlError::Algorithm,
        ),
        (
            "inclusive prefixes",
            info(
                "/></ds:Transforms>",
                "><x:InclusiveNamespaces xmlns:x=\"y\" PrefixList=\"xs\"/></ds:Transform></ds:Transforms>",
            ),
            SamlError::Algorithm,
        ),
        (
            "two references",
            info("</ds:SignedInfo>", "<ds:Reference URI=\"#_b\"/></ds:SignedInfo>"),
            SamlError::Structure,
        ),
        ("another issuer", changed(ISSUER, "https://evil.example"), SamlError::Issuer),
        ("issuer with a blank", changed(ISSUER, "https://idp.example/saml "), SamlError::Issuer),
        ("another audience", changed(AUDIENCE, "urn:other"), SamlError::Audience),
        (
            "no audience",
            changed(
                &format!(
                    "<saml:AudienceRestriction><saml:Audience>{AUDIENCE}</saml:Audience></saml:AudienceRestriction>"
                ),
                "",
            ),
            SamlError::Audience,
        ),
        ("another recipient", changed(RECIPIENT, "dicom://other"), SamlError::Recipient),
        ("holder of key", changed(BEARER, "urn:oasis:names:tc:SAML:2.0:cm:holder-of-key"), SamlError::Recipient),
        ("expired", changed(&stamp(300), &stamp(-61)), SamlError::Expired),
        (
            "not yet",
            changed(&format!("NotBefore=\"{}\"", stamp(-5)), &format!("NotBefore=\"{}\"", stamp(61))),
            SamlError::NotYet,
        ),
        ("no end", changed(&format!(" NotOnOrAfter=\"{}\"", stamp(300)), ""), SamlError::Expired),
        ("a time elsewhere", changed(&stamp(300), "2099-01-01T00:00:00+05:00"), SamlError::Malformed),
        (
            "unknown condition",
            changed("<saml:AudienceRestriction>", "<saml:Condition/><saml:AudienceRestriction>"),
            SamlError::Condition,
        ),
        ("SAML 1.1", changed("Version=\"2.0\"", "Version=\"1.1\""), SamlError::Structure),
        ("two names", changed("</saml:NameID>", "</saml:NameID><saml:NameID>eve</saml:NameID>"), SamlError::Structure),
        ("an empty name", changed(">ada<", "><"), SamlError::Structure),
        (
            "no log-in",
            changed(&format!("<saml:AuthnStatement AuthnInstant=\"{}\"/>", stamp(-5)), ""),
            SamlError::Structure,
        ),
        ("comment in the name", signed.replace(">ada<", ">ada<!---->.evil<"), SamlError::Malformed),
        ("CDATA", signed.replace(">ada<", "><![CDATA[ada]]><"), SamlError::Malformed),
        ("instruction", signed.replace("<saml:Issuer>", "<?x y?><saml:Issuer>"), SamlError::Malformed),
        ("DTD", format!("<!DOCTYPE a [<!ENTITY e \"eve\">]>{signed}"), SamlError::Malformed),
        ("entity", signed.replace(">ada<", ">&e;<"), SamlError::Malformed),
        ("NUL", signed.replace(">ada<", ">ada&#0;<"), SamlError::Malformed),
        ("attribute twice", signed.replace("ID=\"_a1\"", "ID=\"_a1\" ID=\"_a1\""), SamlError::Malformed),
        (
            "no namespace",
            signed.replace(&format!("xmlns:saml=\"{SAML}\""), "xmlns:saml=\"urn:x\""),
            SamlError::Structure,
        ),
        ("cut", signed[..signed.len() - 3].to_owned(), SamlError::Malformed),
        ("more behind", format!("{signed}<a/>"), SamlError::Malformed),
        ("deep", "<a>".repeat(1_000_000), SamlError::Malformed),
        ("nothing", String::new(), SamlError::Malformed),
    ];
    for (name, document, why) in forged {
        assert_eq!(looked_at(&document, &issuer.keys()), Err(why), "{name}");
    }
    assert_eq!(looked_at(&signed, &[]), Err(SamlError::Signature), "no keys");
}

#[test]
fn no_bytes_make_it_fall_over() {
    use proptest::prelude::*;
    let signed = Issuer::new().sign(&assertion()).into_bytes();
    let keys = Issuer::new().keys();
    proptest!(|(at in 0..signed.len(), byte in any::<u8>(), cut in 0..signed.len())| {
        let mut bytes = signed.clone();
        bytes[at] = byte;
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(NOW);
        let expected = Expected { issuer: ISSUER, keys: &keys, audience: AUDIENCE, recipient: RECIPIENT, now };
        prop_assert!(verify(&bytes, &expected).is_err());
        prop_assert!(verify(&bytes[..cut], &expected).is_err());
    });
}
